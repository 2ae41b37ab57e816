// The list of photos: which ones it shows, and the walk through them.
import { byId, element, isNumber } from "./dom.js";

export class PhotoList {
  constructor(board) {
    this.board = board;
    this.photos = [];
    this.mode = "empty";
    byId("photo").addEventListener("change", (event) => this.open(event.target.value));
    byId("previous-photo").addEventListener("click", () => this.walk(-1));
    byId("next-photo").addEventListener("click", () => this.walk(1));
    byId("filter").addEventListener("change", () => this.show());
    byId("open").addEventListener("change", (event) => {
      board.openFile(event.target.files[0]);
      event.target.value = "";
    });
  }

  // Begin with what the board has opened.
  begin({ mode, photos }) {
    this.mode = mode;
    this.photos = photos;
    byId("photos").hidden = mode !== "folder" && mode !== "run";
    byId("filter-label").hidden = mode !== "run";
    byId("filter").checked = photos.some((photo) => photo.needs_review);
    this.show();
  }

  add(photo) {
    if (!this.photos.some((other) => other.photo === photo.photo)) this.photos.push(photo);
    if (this.mode === "empty") byId("photos").hidden = this.photos.length < 2;
  }

  change(key, state) {
    this.photos = this.photos.map((p) => (p.photo === key ? { ...p, ...state } : p));
    this.show();
  }

  shown() {
    if (this.mode !== "run" || !byId("filter").checked) return this.photos;
    return this.photos.filter((p) => p.needs_review || p.photo === this.board.photo?.photo);
  }

  first() { return this.shown()[0] || this.photos[0]; }

  remaining() {
    const count = this.photos.filter((photo) => photo.needs_review).length;
    if (count === 0) return "No photo is left for review.";
    return count === 1 ? "One photo is left for review." : `${count} photos are left for review.`;
  }

  show() {
    const select = byId("photo");
    select.replaceChildren(...this.shown().map((photo) => {
      const score = isNumber(photo.score) ? ` ${photo.score.toFixed(2)}` : "";
      const status = photo.reviewed ? "reviewed" : photo.status ? `${photo.status}${score}` : "";
      const text = status ? `${photo.name} (${status})` : photo.name;
      return element("option", text, { value: photo.photo });
    }));
    if (this.board.photo) select.value = this.board.photo.photo;
    this.board.update();
  }

  position() { return this.shown().findIndex((p) => p.photo === this.board.photo?.photo); }

  open(key) { return this.board.attempt(() => this.board.open(key)); }

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
