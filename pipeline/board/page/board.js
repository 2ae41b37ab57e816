// The page's entry. A Board holds the open photo and passes its state to the panels. The server
// decides everything; the page shows its answers.
import { call, fetchPicture, layerVersion, upload, viewURL } from "./calls.js";
import { Comparison } from "./comparison.js";
import { byId } from "./dom.js";
import { dropped } from "./drops.js";
import { FillPanel } from "./fill_panel.js";
import { Keys } from "./keys.js";
import { Leaving } from "./leaving.js";
import { MaskPanel } from "./mask_panel.js";
import { Messages } from "./messages.js";
import { PhotoList } from "./photo_list.js";
import { Progress } from "./progress.js";
import { SavePanel } from "./save_panel.js";
import { Stage, previewSize } from "./stage.js";
import { View } from "./view.js";

const CHANGED = "changed"; // the code of the error that the photo's file is another one
const USAGE = "usage"; // and the code of one about a photo that the board no longer has
const BRUSH_SHARE = 0.02; // radius of the first brush, as a share of the photo's longer side

class Board {
  constructor(root) {
    this.root = root;
    this.photo = null; // the open photo, as the server describes it
    this.changes = Promise.resolve(); // changes of the mask reach the server one after the other
    this.turn = 0; // counts the photos that were opened; a later one overtakes an earlier one
    this.messages = new Messages();
    this.stage = new Stage(byId("stage"), byId("canvas"));
    this.progress = new Progress(this);
    this.list = new PhotoList(this);
    this.view = new View(this);
    this.mask = new MaskPanel(this);
    this.fill = new FillPanel(this);
    this.comparison = new Comparison(this);
    this.save = new SavePanel(this);
    this.leaving = new Leaving(this);
    this.keys = new Keys(this);
    this.acceptDrops();
    this.start();
  }

  async start() {
    this.view.setTool("brush");
    await this.attempt(async () => {
      const opened = await call("photos");
      document.title = opened.title ? `${opened.title} – Mask board` : "Mask board";
      this.mask.offer(opened);
      this.stage.colour = opened.colours.object;
      this.list.begin(opened);
      const wanted = new URLSearchParams(location.search).get("photo");
      const named = wanted && this.list.named(wanted);
      const first = named || this.list.first();
      if (first) await this.open(first.photo);
      else byId("empty-text").textContent = "Open photos, or drop a photo or a folder here.";
      if (opened.mode === "run" && !named) this.messages.say(this.list.remaining());
      if (opened.notes.length) this.messages.say(opened.notes.join("; "));
      if (wanted && !named) throw new Error(`There is no photo ${wanted} here.`);
    });
    this.update();
    this.root.setAttribute("aria-busy", "false");
    performance.mark("mask-board-open");
  }

  // Open a photo of the list; `described` is the server's answer if it is known already.
  async open(key, described) {
    const turn = ++this.turn;
    byId("empty").hidden = false;
    byId("empty-text").textContent = "Opening …";
    try {
      await this.changes;
      const photo = described || (await this.describe(key));
      const size = [photo.width, photo.height];
      const version = `${photo.revision}-${turn}`;
      const [image, mask] = await Promise.all(["photo", "layers"].map(
        (layer) => fetchPicture(viewURL(photo.photo, layer, version, previewSize(size))),
      ));
      if (turn !== this.turn) return;
      this.show(photo, size, image, mask);
      await this.showFill();
      if (turn === this.turn) this.showResult();
    } catch (error) {
      if (turn === this.turn) this.showNothing(key);
      throw error;
    } finally { this.update(); }
  }

  // Ask the server for a photo. One of a dropped folder is sent to it first, or once more if
  // newer ones have taken its place there.
  async describe(key) {
    const { file, name } = this.list.entry(key) || {};
    if (!file) return call("open_photo", key);
    if (!key.startsWith("file")) {
      const known = await call("open_photo", key).catch((error) => {
        if (error.code !== USAGE) throw error;
      });
      if (known) return known;
    }
    this.messages.say(`Uploading ${name} …`);
    const photo = await call("upload_photo", await upload(file, name));
    this.list.replace(key, photo);
    return photo;
  }

  show(photo, size, image, mask) {
    this.photo = photo;
    this.stage.show(size, image);
    this.stage.setMask(mask);
    this.stage.fetchDetail = (layer, box, pixels) =>
      fetchPicture(viewURL(photo.photo, layer, layerVersion(this.photo, layer), pixels, box));
    byId("empty").hidden = true;
    byId("stage").setAttribute(
      "aria-label", `Photo ${photo.name} with its mask, ${size[0]} by ${size[1]} pixels`,
    );
    this.view.setRadius(Math.max(...size) * BRUSH_SHARE);
    this.mask.selection.forget();
    this.mask.begin(photo);
    this.view.setView("edit");
    this.list.show();
    this.list.remember(photo);
    const draft = photo.unfilled ? ["its mask is a draft that is not filled yet"] : [];
    this.messages.say([`${photo.name}: ${size[0]} × ${size[1]}`, ...photo.notes, ...draft].join("; "));
  }

  // Run an action of the person: the old alert goes, and an error is shown.
  async attempt(action) {
    this.messages.clear();
    try { return await action(); } catch (error) { await this.fail(error); return undefined; }
  }

  // Show an error. If the photo's file has changed, the page must not show the old one any longer.
  async fail(error) {
    const key = this.photo?.photo;
    if (error.code !== CHANGED || !key) { this.messages.fail(error); return; }
    await this.open(key).catch(() => {});
    this.messages.fail(new Error(`${error.message}. The page shows it as it is now.`));
  }

  showNothing(key) {
    this.photo = null;
    this.stage.size = null;
    this.stage.draw();
    byId("empty-text").textContent = "This photo cannot be shown.";
    byId("photo").value = key || "";
  }

  async showFill() {
    this.fill.show(this.photo.report);
    await this.comparison.show(this.photo);
  }

  // What a run made of a photo comes first: what was removed beside the result.
  showResult() {
    if (this.list.mode === "run" && this.photo.before?.holes?.length && this.stage.layers.standing) {
      this.view.setView("compare");
    }
  }

  // Open files that were chosen or dropped, as [{name, file}]; the others are sent when they are
  // opened.
  async openFiles(files) {
    if (!files.length || this.progress.running) return;
    const left = await this.leaving.ask();
    if (left === null) return;
    await this.attempt(async () => {
      if (files.length > 1) {
        const first = this.list.addFiles(files);
        await this.open(first);
        this.messages.say(left, `${files.length} photos are in the list.`);
        return;
      }
      const [{ name, file }] = files;
      this.messages.say(`Uploading ${name} …`);
      const photo = await call("upload_photo", await upload(file, name));
      this.list.add({ ...photo, file });
      await this.open(photo.photo, photo);
      this.messages.say(left, this.messages.said);
    });
  }

  // Anywhere: beside the photo, a dropped file would take the page's place.
  acceptDrops() {
    const { root } = this, { classList } = byId("stage");
    root.addEventListener("dragover", (event) => {
      event.preventDefault();
      classList.add("drop");
    });
    root.addEventListener("dragleave", () => classList.remove("drop"));
    root.addEventListener("drop", (event) => {
      event.preventDefault();
      classList.remove("drop");
      dropped(event.dataTransfer).then((files) => {
        if (!files.length) this.messages.say("There is no photo in what was dropped.");
        return this.openFiles(files);
      }).catch((error) => this.messages.fail(error));
    });
  }

  // Change the mask: one change after the other, and the page shows the server's answer.
  change(action, { redraw = true } = {}) {
    const key = this.photo?.photo;
    if (!key) return Promise.resolve();
    this.messages.clear();
    const done = this.changes.then(async () => {
      const state = await action(key);
      if (this.photo?.photo !== key) return state;
      Object.assign(this.photo, state);
      if (redraw) await this.redraw();
      this.update();
      return state;
    });
    this.changes = done.catch(async (error) => {
      this.fail(error); // not awaited: opening a photo waits for these changes
      if (this.photo?.photo === key) await this.redraw().catch(() => {});
    });
    return this.changes;
  }

  async redraw() {
    const { photo, revision } = this.photo;
    const mask = await fetchPicture(viewURL(photo, "layers", revision, this.stage.preview));
    if (this.photo.photo === photo && !this.stage.line) this.stage.setMask(mask);
  }

  // Enable and label the controls after every change.
  update() {
    const { photo, progress } = this;
    const state = { photo, processing: progress.running, disabled: !photo || progress.running };
    for (const panel of [this.list, this.view, this.mask, this.fill, this.save]) {
      panel.update(state);
    }
  }
}

// Gradio inserts the page's markup when it is ready.
const begin = () => {
  const root = document.getElementById("mask-board");
  if (!root || root.dataset.begun) return Boolean(root);
  root.dataset.begun = "yes";
  window.maskBoard = new Board(root);
  return true;
};
if (!begin()) {
  new MutationObserver((_, observer) => { if (begin()) observer.disconnect(); })
    .observe(document.documentElement, { childList: true, subtree: true });
}
