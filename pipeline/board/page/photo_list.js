// The list of photos: which ones it shows, and the walk through them.
import { byId, element, folded, inWords, stateOf } from "./dom.js";

const NEAR = 100; // photos before and after the open one that the list holds

// A photo's name as it is searched; of thousands, each is folded once.
const searched = (photo) => { photo.folded ??= folded(photo.name); return photo.folded; };

const option = (photo) => {
  const state = stateOf(photo);
  const states = [state && inWords(state).toLowerCase(), photo.draft && "draft"];
  const told = states.filter(Boolean).join(", ");
  return element("option", told ? `${photo.name} (${told})` : photo.name, { value: photo.photo });
};

const others = (count, where) => (count
  ? [element("option", `… ${count} more ${where}: search by name`, { disabled: "" })] : []);

export class PhotoList {
  constructor(board) {
    this.board = board;
    this.photos = [];
    this.mode = "empty";
    byId("photo").addEventListener("change", (event) => this.open(event.target.value));
    byId("previous-photo").addEventListener("click", () => this.walk(-1));
    byId("next-photo").addEventListener("click", () => this.walk(1));
    byId("filter").addEventListener("change", () => this.show());
    byId("find").addEventListener("input", () => this.show());
    byId("find").addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault(); // else the key would press a button of the question that it raises
      this.openFound();
    });
    byId("open").addEventListener("change", (event) => {
      board.openFiles([...event.target.files].map((file) => ({ name: file.name, file })));
      event.target.value = "";
    });
  }

  // Begin with what the board has opened.
  begin({ mode, photos }) {
    this.mode = mode;
    this.photos = photos;
    byId("photos").hidden = mode !== "folder" && mode !== "run";
    byId("filter-label").hidden = byId("to-report").hidden = mode !== "run";
    byId("filter").checked = photos.some((photo) => photo.needs_review);
    this.show();
  }

  add(photo) {
    if (!this.photos.some((other) => other.photo === photo.photo)) this.photos.push(photo);
    byId("photos").hidden = this.photos.length < 2 && this.mode !== "folder" && this.mode !== "run";
  }

  // Add files that are sent when they are opened; returns the key of the first.
  addFiles(files) {
    const added = files.map(({ name, file }, i) => (
      { photo: `file${this.photos.length + i}`, name, file }));
    this.photos = [...this.photos, ...added];
    byId("photos").hidden = false;
    this.show();
    return added[0].photo;
  }

  // The server knows a file by another key.
  replace(key, photo) {
    this.photos = this.photos.map((p) => (p.photo === key ? { ...p, photo: photo.photo } : p));
  }

  entry(key) { return this.photos.find((p) => p.photo === key); }

  named(name) { return this.photos.find((p) => p.name === name || p.photo === name); }

  // The address opens this photo again, and can be kept or sent to the next window.
  remember({ name, photo }) {
    if (this.mode !== "folder" && this.mode !== "run") return;
    const address = new URL(location.href);
    if (this.entry(photo)?.file) address.searchParams.delete("photo");
    else address.searchParams.set("photo", name);
    history.replaceState(null, "", address);
  }

  change(key, state) {
    this.photos = this.photos.map((p) => (p.photo === key ? { ...p, ...state } : p));
    this.show();
  }

  // A search looks at all photos: whoever names one wants to see it.
  shown() {
    const wanted = folded(byId("find").value.trim());
    const open = this.board.photo?.photo;
    if (wanted) {
      return this.photos.filter((p) => p.photo === open || searched(p).includes(wanted));
    }
    if (this.mode !== "run" || !byId("filter").checked) return this.photos;
    return this.photos.filter((p) => p.needs_review || p.file || p.photo === open);
  }

  // Enter in the search opens the first photo that it finds.
  openFound() {
    const wanted = folded(byId("find").value.trim());
    const found = wanted && this.photos.find((p) => searched(p).includes(wanted));
    if (found) this.open(found.photo);
    else if (wanted) this.board.messages.say(`No photo's name has "${byId("find").value}".`);
  }

  // The photo after the open one; of a run, the next one that needs a look, from the start again.
  // If none does, whoever looks at all photos goes on to the next of them.
  next() {
    const at = this.photos.findIndex((p) => p.photo === this.board.photo?.photo);
    if (this.mode !== "run") return this.photos[at + 1];
    const others = [...this.photos.slice(at + 1), ...this.photos.slice(0, Math.max(0, at))];
    const waiting = others.find((p) => p.needs_review);
    return waiting || (this.looksAtAll() ? this.photos[at + 1] : undefined);
  }

  looksAtAll() { return !byId("filter").checked; }

  // What to say behind the last photo; `told` if it was said already how many are left.
  ended(told) {
    if (this.mode !== "run" || this.looksAtAll()) return "This was the last photo.";
    if (this.photos.some((photo) => photo.needs_review)) return this.remaining();
    const others = "Clear 'to check only' to see the others.";
    return told ? others : `${this.remaining()} ${others}`;
  }

  first() { return this.shown()[0] || this.photos[0]; }

  remaining() {
    const count = this.photos.filter((photo) => photo.needs_review).length;
    if (count === 0) return "No photo is left to check.";
    return count === 1 ? "One photo is left to check." : `${count} photos are left to check.`;
  }

  // Of thousands, only those near the open photo are in the list.
  show() {
    const select = byId("photo"), shown = this.shown();
    const at = Math.max(0, this.position());
    const from = Math.max(0, at - NEAR), to = Math.min(shown.length, at + NEAR + 1);
    select.replaceChildren(
      ...others(from, "before"),
      ...shown.slice(from, to).map(option),
      ...others(shown.length - to, "after"),
    );
    if (this.board.photo) select.value = this.board.photo.photo;
    this.board.update();
  }

  position() { return this.shown().findIndex((p) => p.photo === this.board.photo?.photo); }

  // Open another photo; `told` is what was said of the present one already, and is said again
  // behind the other's name: whoever goes on at once has to know it.
  async open(key, told = "") {
    const { board } = this, present = board.photo?.photo;
    if (board.progress.running) return;
    const left = key === present ? "" : await board.leaving.ask();
    if (left === null) {
      if (board.photo) byId("photo").value = board.photo.photo;
      return;
    }
    await board.attempt(() => board.open(key));
    board.messages.say(told, left, board.messages.said);
  }

  walk(by) {
    const next = this.shown()[this.position() + by];
    if (next) this.open(next.photo);
  }

  update({ processing }) {
    const at = this.position();
    byId("previous-photo").disabled = processing || at <= 0;
    byId("next-photo").disabled = processing || at < 0 || at >= this.shown().length - 1;
    byId("photo").disabled = byId("open").disabled = processing;
  }
}
