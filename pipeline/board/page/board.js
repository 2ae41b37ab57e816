// The page: what the controls do. All that decides anything is the server's; here are only its answers, shown as text.
import { call, picture, send, viewURL } from "./calls.js";
import { Stage } from "./canvas.js";

const NAMES = { photo: "Original", result: "Our fill", "navier-stokes": "Navier–Stokes", telea: "Telea" };
const STAGES = { loading: "Loading the networks", segment: "Looking at the photo", faces: "Looking for faces", inpaint: "Painting", probe: "Probing", compare: "Painting the classical way", measure: "Measuring", done: "Done" };
const CLASSES = ["person", "car", "dog", "cat", "bicycle", "motorbike", "bus", "train", "boat", "aeroplane", "bird", "horse", "sheep", "cow", "bottle", "chair", "sofa", "diningtable", "pottedplant", "tvmonitor"];

const found = (name) => document.getElementById(`mb-${name}`);
const percent = (share) => (share < 0.0095 ? `${(100 * share).toFixed(2)} %` : `${(100 * share).toFixed(1)} %`);
const figure = (value, digits) => (value === null || value === undefined ? "–" : value.toFixed(digits));
const element = (name, text = "", attributes = {}) => {
  const made = document.createElement(name);
  made.textContent = text; // file names and reasons are text, whatever they hold
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
};

class Board {
  constructor(root) {
    this.root = root;
    this.stage = new Stage(found("stage"), found("canvas"));
    this.photos = [];
    this.photo = null; // the open one, as the server described it
    this.chain = Promise.resolve(); // changes of the mask go to the server one after the other
    this.opening = 0;
    this.wire();
    this.begin();
  }

  // --- messages ------------------------------------------------------------------------------------------------------

  say(text) { found("status").textContent = text; }

  fail(error) {
    found("alert-text").textContent = error.message || String(error);
    found("alert").hidden = false;
    this.say("");
  }

  quiet() { found("alert").hidden = true; }

  // An action of the person: an old message goes, an error is shown.
  async act(action) {
    this.quiet();
    try { return await action(); } catch (error) { this.fail(error); return undefined; }
  }

  // --- the list ------------------------------------------------------------------------------------------------------

  async begin() {
    for (const name of CLASSES) found("class").append(element("option", name, { value: name }));
    this.setTool("brush");
    await this.act(async () => {
      const list = await call("photos");
      this.mode = list.mode;
      this.photos = list.photos;
      if (list.classes.length) found("class").value = list.classes[0];
      found("walk").hidden = !(list.mode === "folder" || list.mode === "run");
      found("filter-label").hidden = list.mode !== "run";
      found("filter").checked = this.photos.some((p) => p.needs_review);
      document.title = list.title ? `${list.title} – Mask board` : "Mask board";
      this.list();
      if (this.photos.length) await this.open((this.listed()[0] || this.photos[0]).photo);
      else found("empty-text").textContent = "Open a photo, or drop one here.";
      if (list.mode === "run") this.say(this.left());
      if (list.notes.length) this.say(list.notes.join("; "));
    });
    this.update();
    this.root.setAttribute("aria-busy", "false");
  }

  listed() { return this.mode === "run" && found("filter").checked ? this.photos.filter((p) => p.needs_review || p.photo === this.photo?.photo) : this.photos; }

  left() {
    const count = this.photos.filter((p) => p.needs_review).length;
    return count === 0 ? "No photo is left for review." : count === 1 ? "One photo is left for review." : `${count} photos are left for review.`;
  }

  list() {
    const select = found("photo");
    select.replaceChildren();
    for (const p of this.listed()) {
      const score = p.score === null || p.score === undefined ? "" : ` ${p.score.toFixed(2)}`;
      const status = p.reviewed ? "reviewed" : p.status ? `${p.status}${score}` : "";
      select.append(element("option", status ? `${p.name} (${status})` : p.name, { value: p.photo }));
    }
    if (this.photo) select.value = this.photo.photo;
    this.update();
  }

  walk(by) {
    const listed = this.listed();
    const at = listed.findIndex((p) => p.photo === this.photo?.photo);
    const next = listed[at + by];
    if (next) this.act(() => this.open(next.photo));
  }

  // --- a photo -------------------------------------------------------------------------------------------------------

  async open(key, given) {
    const turn = ++this.opening;
    found("empty").hidden = false;
    found("empty-text").textContent = "Opening …";
    try {
      await this.chain;
      const photo = given || (await call("open_photo", key));
      const size = [photo.width, photo.height];
      const [image, mask] = await Promise.all(["photo", "mask"].map((layer) => picture(viewURL(photo.photo, layer, `${photo.revision}-${turn}`, this.stage.previewSize(size)))));
      if (turn !== this.opening) return;
      this.photo = photo;
      this.stage.show(size, image);
      this.stage.setMask(mask);
      this.stage.fetchDetail = (layer, box, pixels) => picture(viewURL(photo.photo, layer, this.photo.filled ?? 0, pixels, box));
      found("empty").hidden = true;
      this.setSize(Math.max(...size) * 0.02);
      const widen = found("widen");
      widen.max = Math.max(20, photo.auto_widen * 4);
      widen.value = photo.auto_widen;
      this.tellWiden();
      found("stage").setAttribute("aria-label", `Photo ${photo.name} with its mask, ${photo.width} by ${photo.height} pixels`);
      this.setView("edit");
      this.list();
      this.say([`${photo.name}: ${photo.width} × ${photo.height}`, ...photo.notes].join("; "));
      await this.showFill(photo.report, photo.compared);
    } catch (error) {
      if (turn === this.opening) {
        this.photo = null;
        this.stage.size = null;
        this.stage.draw();
        found("empty-text").textContent = "This photo cannot be shown.";
        found("photo").value = key || "";
      }
      throw error;
    } finally { this.update(); }
  }

  async openFile(file) {
    if (!file) return;
    await this.act(async () => {
      this.say(`Sending ${file.name} …`);
      const photo = await call("upload_photo", await send(file));
      if (!this.photos.some((p) => p.photo === photo.photo)) this.photos.push(photo);
      if (this.mode === "empty") found("walk").hidden = this.photos.length < 2;
      await this.open(photo.photo, photo);
    });
  }

  // A change of the mask: in order, and the page shows what the server says came of it.
  change(action, redraw = true) {
    const key = this.photo?.photo;
    if (!key) return Promise.resolve();
    this.quiet();
    const done = this.chain.then(async () => {
      const state = await action(key);
      if (this.photo?.photo !== key) return state;
      Object.assign(this.photo, state);
      if (redraw) await this.redraw();
      this.update();
      return state;
    });
    this.chain = done.catch(async (error) => {
      this.fail(error);
      if (this.photo?.photo === key) await this.redraw().catch(() => {});
    });
    return this.chain;
  }

  async redraw() {
    const { photo, revision } = this.photo;
    const mask = await picture(viewURL(photo, "mask", revision, this.stage.preview));
    if (this.photo.photo === photo && !this.stage.line) this.stage.setMask(mask);
  }

  async pick(x, y, keep) {
    await this.change(async (key) => {
      const state = await call("pick", key, x, y, keep);
      this.say(!state.hit ? "There is no object of the mask at this place." : keep ? "Kept this object alone." : "Dropped the object.");
      return state;
    });
  }

  edit(action) { return this.change((key) => call("edit", key, action)); }

  // --- what takes its time -------------------------------------------------------------------------------------------

  async work(name, action) {
    if (this.working || !this.photo) return undefined;
    this.working = true;
    this.stage.busy = true;
    this.update();
    found("at-work").hidden = found("cancel").hidden = false;
    found("progress").value = 0;
    found("progress-text").textContent = name;
    const watch = setInterval(async () => {
      const at = await call("progress").catch(() => null);
      if (!at || !at.photo || !this.working) return;
      found("progress").value = at.share;
      found("progress-text").textContent = at.stopping ? "Stopping …" : `${STAGES[at.stage] || at.stage} … ${Math.round(100 * at.share)} %`;
    }, 350);
    try { await this.chain; return await action(); }
    finally {
      clearInterval(watch);
      this.working = this.stage.busy = false;
      found("at-work").hidden = found("cancel").hidden = true;
      this.update();
    }
  }

  fill() {
    if (!this.photo) return;
    return this.act(() => this.work("Filling …", async () => {
      const { photo } = this.photo;
      this.say("Filling …");
      const state = await call("fill", photo, found("route").value, found("classical").checked, found("probe").checked);
      if (this.photo.photo !== photo) return;
      Object.assign(this.photo, state);
      await this.showFill(state.report, state.compared);
      if (state.report.holes.length) this.setView("compare");
      this.say(`Filled: ${state.report.status}, ${state.report.reason}`);
    }));
  }

  cancel() {
    if (!this.working) return;
    call("cancel").catch(() => {});
    found("progress-text").textContent = "Stopping …";
  }

  select() {
    return this.act(() => this.work("Looking at the photo …", () => this.change(async (key) => {
      const name = found("class").value;
      const state = await call("select_class", key, [name], Number(found("widen").value), found("how").value);
      this.say(state.found ? `${name}: ${percent(state.found)} of the photo.` : `No ${name} was found.`);
      return state;
    })));
  }

  async load(file) {
    if (!file || !this.photo) return;
    await this.change(async (key) => {
      const state = await call("load_mask", key, await send(file), found("how").value);
      this.say(`Loaded ${file.name}.`);
      return state;
    });
  }

  // --- the fill, shown -----------------------------------------------------------------------------------------------

  async showFill(report, compared) {
    found("report").hidden = !report;
    const names = report && report.holes.length ? ["result", ...compared] : [];
    const select = found("right");
    select.replaceChildren(...names.map((name) => element("option", NAMES[name] || name, { value: name })));
    this.stage.setLayers({});
    this.stage.right = "result";
    if (!report) { this.showFigure(null, []); return; }
    const chip = found("status-chip");
    chip.textContent = report.status;
    chip.dataset.status = report.status;
    found("reason").textContent = report.reason;
    found("holes").replaceChildren(...report.holes.map((hole, i) => this.hole(hole, i, report.holes.length)));
    const { photo, filled } = this.photo;
    const layers = await Promise.all(names.map((name) => picture(viewURL(photo, name, filled, this.stage.preview))));
    if (this.photo.photo !== photo) return;
    this.stage.setLayers(Object.fromEntries(names.map((name, i) => [name, layers[i]])));
    this.showFigure(report, names);
    this.setRight("result");
  }

  hole(hole, index, count) {
    const item = element("li");
    const title = element("div");
    title.append(element("strong", count > 1 ? `Hole ${index + 1}: ${hole.route}` : `Route: ${hole.route}`), ` ${percent(hole.share)} of the photo`);
    item.append(title, element("div", hole.why, { class: "quiet" }));
    const table = element("table");
    const head = element("thead"), body = element("tbody"), row = element("tr");
    for (const name of ["", "seam", "LPIPS", "PSNR"]) row.append(element("th", name, { scope: "col" }));
    head.append(row);
    const rows = [["Our fill", hole], ...Object.entries(hole.compare || {}).map(([name, beside]) => [NAMES[name] || name, beside])];
    for (const [name, beside] of rows) {
      const line = element("tr");
      line.append(element("th", name, { scope: "row" }), element("td", figure(beside.seam, 2)), element("td", figure(beside.probe?.lpips, 3)), element("td", beside.probe ? `${figure(beside.probe.psnr, 1)} dB` : "–"));
      body.append(line);
    }
    table.append(element("caption", `Figures of hole ${index + 1}: seam (1 is invisible), and the probe's LPIPS (lower is better) and PSNR`, { class: "sr" }), head, body);
    item.append(table);
    return item;
  }

  // Figure 4 of the paper: the largest hole with some of its surroundings, four times.
  showFigure(report, names) {
    const row = found("figure-row");
    row.replaceChildren();
    found("figure").dataset.filled = names.length > 1 ? "yes" : "";
    if (names.length < 2) return;
    const [x, y, w, h] = report.holes[0].box;
    const [width, height] = this.stage.size;
    const side = Math.max(w, h), ww = Math.min(width, Math.max(w + side * 0.6, 240)), hh = Math.min(height, Math.max(h + side * 0.6, 160));
    const left = Math.min(width - ww, Math.max(0, x + w / 2 - ww / 2)), top = Math.min(height - hh, Math.max(0, y + h / 2 - hh / 2));
    const box = [left, top, ww, hh].map(Math.floor);
    const share = Math.min(1, 480 / Math.max(...box.slice(2)));
    const size = box.slice(2).map((n) => Math.max(1, Math.round(n * share)));
    for (const name of ["photo", ...names]) {
      const button = element("button", "", { type: "button", "data-layer": name });
      const pair = element("span", "", { class: "pair" });
      for (const layer of name === "photo" ? ["photo", "hole"] : [name]) pair.append(element("img", "", { alt: "", src: viewURL(this.photo.photo, layer, this.photo.filled, size, box) }));
      button.append(pair);
      const beside = name === "photo" ? null : name === "result" ? report.holes[0] : (report.holes[0].compare || {})[name];
      button.append(element("span", NAMES[name]));
      button.append(element("small", beside ? `seam ${figure(beside.seam, 2)}, LPIPS ${figure(beside.probe?.lpips, 3)}` : "with its hole"));
      button.addEventListener("click", () => { this.setView("compare"); this.setRight(name); });
      row.append(button);
    }
  }

  setRight(name) {
    this.stage.right = name;
    if (name !== "photo") found("right").value = name;
    for (const button of found("figure-row").children) button.setAttribute("aria-pressed", String(button.dataset.layer === name));
    found("right-name").textContent = NAMES[name] || name;
    found("left-name").textContent = NAMES.photo;
    this.stage.draw();
    this.stage.settle();
  }

  // --- saving --------------------------------------------------------------------------------------------------------

  async save(replace = false) {
    if (!this.photo || found("save").disabled) return;
    this.quiet();
    try {
      const { photo } = this.photo;
      await this.chain;
      const state = await call("save", photo, replace);
      const at = this.photos.findIndex((p) => p.photo === photo);
      if (at >= 0) this.photos[at] = { ...this.photos[at], ...state };
      if (this.photo?.photo === photo) Object.assign(this.photo, state);
      this.list();
      this.say(`Saved ${state.output}${this.mode === "run" ? `. ${this.left()}` : ""}`);
    } catch (error) {
      if (!replace && error.code === "exists") await this.ask(error.message);
      else this.fail(error);
    } finally { this.update(); }
  }

  async ask(text) {
    const dialog = found("ask");
    found("ask-text").textContent = text;
    dialog.returnValue = "no";
    dialog.showModal();
    await new Promise((done) => dialog.addEventListener("close", done, { once: true }));
    if (dialog.returnValue === "yes") await this.save(true);
  }

  download(what) {
    if (!this.photo) return;
    const link = element("a", "", { href: `/board/download/${this.photo.photo}/${what}`, download: "" });
    this.root.append(link);
    link.click();
    link.remove();
  }

  // --- controls ------------------------------------------------------------------------------------------------------

  setTool(name) {
    this.stage.tool = name;
    this.root.querySelector(`input[name="mb-tool"][value="${name}"]`).checked = true;
    found("stage").dataset.tool = name;
    this.stage.draw();
  }

  setView(name) {
    if (name === "compare" && !this.stage.layers.result) name = "edit";
    this.stage.drop();
    this.stage.view = name;
    this.root.querySelector(`input[name="mb-view"][value="${name}"]`).checked = true;
    found("stage").dataset.view = name;
    const comparing = name === "compare";
    found("tools").classList.toggle("comparing", comparing);
    found("compare").hidden = found("left-name").hidden = found("right-name").hidden = !comparing;
    found("figure").hidden = !comparing || found("figure").dataset.filled !== "yes";
    this.stage.draw();
    this.stage.settle();
  }

  // The slider is in equal ratios, from one pixel to a quarter of the photo.
  setSize(radius) {
    const largest = this.largest();
    this.stage.radius = Math.min(largest, Math.max(0.5, radius));
    found("size").value = Math.round((100 * Math.log(this.stage.radius / 0.5)) / Math.log(largest / 0.5));
    this.tellSize();
  }

  largest() { return this.stage.size ? Math.max(8, Math.max(...this.stage.size) / 8) : 200; }

  tellSize() {
    const text = `${Math.max(1, Math.round(2 * this.stage.radius))} px`;
    found("size-value").textContent = text;
    found("size").setAttribute("aria-valuetext", text);
    this.stage.draw();
  }

  tellWiden() {
    const text = `${found("widen").value} px`;
    found("widen-value").textContent = text;
    found("widen").setAttribute("aria-valuetext", text);
  }

  update() {
    const { photo, working } = this;
    const off = !photo || working;
    for (const name of ["fill", "select", "do-clear", "load", "class", "how", "widen", "route", "size", "download-mask"]) found(name).disabled = off;
    found("do-undo").disabled = off || !photo.can_undo;
    found("do-redo").disabled = off || !photo.can_redo;
    found("do-clear").disabled = off || !photo.share;
    const current = photo?.fill_is_current;
    found("save").disabled = off || !current || photo.report_failed;
    found("download-result").disabled = off || !current;
    const list = this.listed(), at = list.findIndex((p) => p.photo === photo?.photo);
    found("previous").disabled = working || at <= 0;
    found("following").disabled = working || at < 0 || at >= list.length - 1;
    found("photo").disabled = found("open").disabled = !!working;
    this.root.querySelector('input[name="mb-view"][value="compare"]').disabled = !this.stage.layers.result;
    found("share").textContent = !photo ? "No photo is open." : photo.share ? `${percent(photo.share)} of the photo is marked.` : "Nothing is marked yet: draw, select by class, or load a mask.";
    found("save").hidden = !!photo && !photo.saves_to;
    found("save-to").textContent = !photo ? "" : !current ? "Fill the mask, then save." : photo.saved ? `Saved to ${photo.saves_to}` : photo.saves_to ? `Goes to ${photo.saves_to}` : "Download what you want to keep.";
    const before = photo?.before;
    found("run-says").hidden = !before;
    if (before) {
      const status = photo.reviewed ? "reviewed" : before.status;
      found("run-status").textContent = status;
      found("run-status").dataset.status = status === "reviewed" ? "ok" : status;
      found("run-reason").textContent = `${before.reason}${before.score === null || before.score === undefined ? "" : ` (score ${before.score.toFixed(2)})`}`;
    }
  }

  wire() {
    const { stage } = this;
    const on = (name, event, action) => found(name).addEventListener(event, action);
    stage.onstroke = (points, radius, erase) => this.change((key) => call("stroke", key, points, radius, erase), false);
    stage.onpick = (x, y, keep) => this.pick(x, y, keep);
    stage.onview = (scale) => { found("zoom-value").textContent = `${Math.round(100 * scale)} %`; };
    stage.onsplit = (value) => { found("split").value = Math.round(100 * value); };
    on("alert-close", "click", () => this.quiet());
    on("photo", "change", (e) => this.act(() => this.open(e.target.value)));
    on("previous", "click", () => this.walk(-1));
    on("following", "click", () => this.walk(1));
    on("filter", "change", () => this.list());
    on("open", "change", (e) => { this.openFile(e.target.files[0]); e.target.value = ""; });
    on("load", "change", (e) => { this.load(e.target.files[0]); e.target.value = ""; });
    on("do-undo", "click", () => this.edit("undo"));
    on("do-redo", "click", () => this.edit("redo"));
    on("do-clear", "click", () => this.edit("clear"));
    on("zoom-in", "click", () => stage.zoom(1.4));
    on("zoom-out", "click", () => stage.zoom(1 / 1.4));
    on("zoom-one", "click", () => stage.zoomTo(1));
    on("zoom-fit", "click", () => stage.fit());
    on("select", "click", () => this.select());
    on("fill", "click", () => this.fill());
    on("cancel", "click", () => this.cancel());
    on("save", "click", () => this.save());
    on("download-result", "click", () => this.download("result"));
    on("download-mask", "click", () => this.download("mask"));
    on("split", "input", (e) => stage.setSplit(e.target.value / 100));
    on("right", "change", (e) => this.setRight(e.target.value));
    on("widen", "input", () => this.tellWiden());
    on("size", "input", (e) => { stage.radius = 0.5 * (this.largest() / 0.5) ** (e.target.value / 100); this.tellSize(); });
    for (const input of this.root.querySelectorAll('input[name="mb-tool"]')) input.addEventListener("click", () => { this.setTool(input.value); this.setView("edit"); });
    for (const input of this.root.querySelectorAll('input[name="mb-view"]')) input.addEventListener("change", () => this.setView(input.value));
    const frame = found("stage");
    frame.addEventListener("keydown", (e) => this.stageKey(e));
    frame.addEventListener("dragover", (e) => { e.preventDefault(); frame.classList.add("drop"); });
    frame.addEventListener("dragleave", () => frame.classList.remove("drop"));
    frame.addEventListener("drop", (e) => { e.preventDefault(); frame.classList.remove("drop"); this.openFile(e.dataTransfer.files[0]); });
    document.addEventListener("keydown", (e) => this.key(e));
  }

  key(event) {
    if (event.key === "Escape" && this.working) this.cancel();
    if (!(event.ctrlKey || event.metaKey) || event.altKey) return;
    const name = event.key.toLowerCase();
    const actions = { z: () => this.edit(event.shiftKey ? "redo" : "undo"), y: () => this.edit("redo"), s: () => this.save() };
    if (!actions[name]) return;
    event.preventDefault();
    if (!this.working) actions[name]();
  }

  // Letters act only while the photo has the focus, so that they never surprise someone who speaks or types.
  stageKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.stage.size) return;
    const { stage } = this;
    const tool = (name) => () => { this.setTool(name); this.setView("edit"); this.say(`Tool: ${name}`); };
    const actions = {
      b: tool("brush"), e: tool("eraser"), d: tool("drop"), k: tool("keep"), h: tool("move"),
      "[": () => this.setSize(stage.radius / 1.2), "]": () => this.setSize(stage.radius * 1.2),
      "+": () => stage.zoom(1.4), "=": () => stage.zoom(1.4), "-": () => stage.zoom(1 / 1.4), 0: () => stage.fit(), 1: () => stage.zoomTo(1),
      f: () => this.fill(), c: () => this.setView(stage.view === "compare" ? "edit" : "compare"), n: () => this.walk(1), p: () => this.walk(-1),
      ArrowLeft: () => this.arrow(-1, 0, event), ArrowRight: () => this.arrow(1, 0, event), ArrowUp: () => this.arrow(0, -1, event), ArrowDown: () => this.arrow(0, 1, event),
      Enter: () => stage.use(),
      " ": () => { const did = stage.toggle(); if (did === "down") this.say("The brush is down: move with the arrow keys, Space lifts it."); if (did === "up") this.say("The brush is up."); },
      Escape: () => { if (stage.drop()) this.say("The stroke was dropped."); },
    };
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  arrow(dx, dy, event) {
    if (this.stage.view === "compare") this.stage.setSplit(this.stage.split + 0.02 * dx);
    else if (this.stage.tool === "move") this.stage.move(-60 * dx, -60 * dy);
    else this.stage.step(dx, dy, event.shiftKey);
  }
}

// Gradio puts the page's markup in when it is ready.
const begin = () => {
  const root = document.getElementById("mask-board");
  if (!root || root.dataset.begun) return Boolean(root);
  root.dataset.begun = "yes";
  window.maskBoard = new Board(root);
  return true;
};
if (!begin()) new MutationObserver((_, observer) => { if (begin()) observer.disconnect(); }).observe(document.documentElement, { childList: true, subtree: true });
