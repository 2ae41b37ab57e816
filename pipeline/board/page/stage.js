// The photo on the screen: its layers, zoom and pan, strokes, and the keyboard's cursor. Positions
// are in the photo's own pixels; only `scale`, `left` and `top` know the screen.
import { paint } from "./paint.js";
import { listen } from "./pointer.js";

const PREVIEW = 1600; // longest side of the pictures that show a whole photo, in pixels
const DETAIL = 2048; // longest side of a picture of what is in view
const LARGEST_SCALE = 16;
const MARGIN = 60; // pixels of the photo that always stay in view
const REST = 160; // milliseconds without a movement, after which details are fetched

const clamp = (value, least, most) => Math.min(most, Math.max(least, value));

// The size at which a whole photo is fetched.
export const previewSize = (size) => {
  const share = Math.min(1, PREVIEW / Math.max(...size));
  return size.map((n) => Math.max(1, Math.round(n * share)));
};

export class Stage {
  constructor(element, canvas) {
    this.element = element;
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.mask = document.createElement("canvas"); // the layers' colours, at the preview's size
    this.colour = "#000"; // of what is drawn
    this.tool = "brush";
    this.radius = 20;
    this.view = "edit";
    this.split = 0.5;
    this.masked = true; // whether the mask's colours are shown
    this.size = null; // [width, height] of the photo
    this.layers = {}; // name -> picture of the whole photo
    this.details = {}; // name -> {image, box}: what is in view, at the screen's resolution
    this.right = "result";
    this.cursor = null; // of the keyboard
    this.hover = null; // of the mouse
    this.line = null; // the stroke in progress
    this.draft = null; // what is selected by clicks: {picture or null, clicks}
    this.busy = false;
    this.onstroke = this.onpick = this.onview = this.onsplit = () => {};
    this.fetchDetail = null;
    this.pointers = listen(this);
    this.resized();
    new ResizeObserver(() => this.resized()).observe(element);
  }

  // --- layers -----------------------------------------------------------------------------------

  show(size, photo) {
    this.size = size;
    this.layers = { photo };
    this.details = {};
    this.line = this.cursor = this.hover = this.draft = null;
    this.preview = previewSize(size);
    [this.mask.width, this.mask.height] = this.preview;
    this.fit();
  }

  setMask(image) {
    const context = this.mask.getContext("2d");
    context.clearRect(0, 0, ...this.preview);
    if (image) context.drawImage(image, 0, 0, ...this.preview);
    this.draw();
  }

  // Whether there is a layer beside the photo's own.
  canCompare() { return Object.keys(this.layers).length > 1; }

  setLayers(layers) {
    this.layers = { photo: this.layers.photo, ...layers };
    this.details = {};
    this.draw();
    this.settle();
  }

  setSplit(value) {
    this.split = clamp(value, 0, 1);
    this.onsplit(this.split);
    this.draw();
  }

  draw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; paint(this); });
  }

  // --- zoom and pan -----------------------------------------------------------------------------

  // The photo's place on the screen is for `width` and `height`. When the page changes, as with the
  // view, the element has another size some time before this is called.
  resized() {
    [this.width, this.height] = [this.element.clientWidth, this.element.clientHeight];
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.max(1, Math.round(this.width * ratio));
    this.canvas.height = Math.max(1, Math.round(this.height * ratio));
    if (this.size && this.fitted) this.fit();
    else if (this.size) this.move(0, 0);
    paint(this); // at once: a new size has emptied the canvas
  }

  fit() {
    const { width: w, height: h } = this;
    const [width, height] = this.size;
    this.scale = this.least = Math.min((w - 24) / width, (h - 24) / height, 4);
    this.left = (w - width * this.scale) / 2;
    this.top = (h - height * this.scale) / 2;
    this.fitted = true;
    this.changed();
  }

  zoom(factor, x = this.width / 2, y = this.height / 2) {
    if (!this.size) return;
    const scale = clamp(this.scale * factor, this.least * 0.5, LARGEST_SCALE);
    this.left = x - (x - this.left) * (scale / this.scale);
    this.top = y - (y - this.top) * (scale / this.scale);
    this.scale = scale;
    this.fitted = false;
    this.move(0, 0);
  }

  zoomTo(scale) { this.zoom(scale / (this.scale * (window.devicePixelRatio || 1))); }

  move(dx, dy) {
    if (!this.size) return;
    const { width: w, height: h } = this;
    const [width, height] = this.size;
    this.left = Math.min(w - MARGIN, Math.max(MARGIN - width * this.scale, this.left + dx));
    this.top = Math.min(h - MARGIN, Math.max(MARGIN - height * this.scale, this.top + dy));
    if (dx || dy) this.fitted = false;
    this.changed();
  }

  changed() {
    this.onview(this.scale * (window.devicePixelRatio || 1));
    this.draw();
    this.settle();
  }

  // Once the view rests, fetch what is in view at the screen's resolution.
  settle() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.sharpen(), REST);
  }

  async sharpen() {
    if (!this.size || !this.fetchDetail) return;
    const scale = this.scale * (window.devicePixelRatio || 1);
    if (scale < (this.preview[0] / this.size[0]) * 1.1) return;
    const box = this.visibleBox();
    if (box[2] <= 0 || box[3] <= 0) return;
    const size = box.slice(2).map((n) => clamp(Math.round(n * Math.min(1, scale)), 1, DETAIL));
    const layers = this.layers;
    for (const name of this.view === "compare" ? ["photo", this.right] : ["photo"]) {
      const held = this.details[name];
      if (!layers[name] || (held && held.box.join() === box.join())) continue;
      const image = await this.fetchDetail(name, box, size).catch(() => null);
      if (!image || layers !== this.layers) return;
      this.details[name] = { image, box };
      this.draw();
    }
  }

  // [x, y, width, height] of what is in view, in whole pixels of the photo.
  visibleBox() {
    const { width: w, height: h } = this;
    const [width, height] = this.size;
    const x = Math.max(0, Math.floor(-this.left / this.scale));
    const y = Math.max(0, Math.floor(-this.top / this.scale));
    const right = Math.min(width, Math.ceil((w - this.left) / this.scale));
    const bottom = Math.min(height, Math.ceil((h - this.top) / this.scale));
    return [x, y, right - x, bottom - y];
  }

  toPhoto([x, y]) { return [(x - this.left) / this.scale, (y - this.top) / this.scale]; }

  toScreen([x, y]) { return [this.left + x * this.scale, this.top + y * this.scale]; }

  // --- strokes ----------------------------------------------------------------------------------

  selects() { return this.tool === "select" && this.view === "edit"; }

  draws() { return this.tool === "brush" || this.tool === "eraser"; }

  begin(point) {
    this.masked = true; // nobody draws what they do not see
    const erase = this.tool === "eraser";
    this.line = { points: [point], radius: this.radius, erase, before: this.copyMask() };
    this.segment(point, point);
  }

  extend(point) {
    const { points } = this.line;
    const last = points[points.length - 1];
    const distance = Math.hypot(point[0] - last[0], point[1] - last[1]);
    if (distance < Math.max(0.5, 0.5 / this.scale)) return;
    points.push(point);
    this.segment(last, point);
  }

  end() {
    const { line } = this;
    this.line = null;
    if (line) this.onstroke(line.points, line.radius, line.erase);
  }

  // Drop the stroke in progress; returns whether there was one.
  drop() {
    if (!this.line) return false;
    this.mask.getContext("2d").putImageData(this.line.before, 0, 0);
    this.line = null;
    this.draw();
    return true;
  }

  copyMask() { return this.mask.getContext("2d").getImageData(0, 0, ...this.preview); }

  // The line that the server draws at the photo's size, here at the preview's.
  segment(a, b) {
    const context = this.mask.getContext("2d");
    const share = this.preview[0] / this.size[0];
    context.save();
    // What the mask has already keeps its layer.
    context.globalCompositeOperation = this.line.erase ? "destination-out" : "destination-over";
    context.strokeStyle = this.colour;
    context.lineCap = "round";
    context.lineWidth = Math.max(1, 2 * this.line.radius * share);
    context.beginPath();
    context.moveTo(a[0] * share, a[1] * share);
    context.lineTo(b[0] * share + 0.001, b[1] * share);
    context.stroke();
    context.restore();
    this.draw();
  }

  // --- the keyboard's cursor --------------------------------------------------------------------

  // Move the cursor by half a brush, or by a pixel; it stays on the photo and in view.
  step(dx, dy, fine) {
    const [width, height] = this.size;
    let [x, y] = this.cursor || this.toPhoto(this.middle());
    if (this.cursor) {
      const distance = fine ? 1 : Math.max(2, this.radius / 2);
      x += dx * distance;
      y += dy * distance;
    }
    this.cursor = [clamp(x, 0, width), clamp(y, 0, height)];
    if (this.line && !this.pointers.size) this.extend(this.cursor);
    this.reveal(this.cursor);
    this.draw();
  }

  middle() { return [this.width / 2, this.height / 2]; }

  // Pan until a point of the photo is in view.
  reveal(point) {
    const edge = 20;
    const limits = [this.width, this.height];
    const [dx, dy] = this.toScreen(point).map((at, i) => clamp(at, edge, limits[i] - edge) - at);
    if (dx || dy) this.move(dx, dy);
  }

  // Enter: use the tool once at the cursor.
  use() {
    if (!this.cursor) this.step(0, 0);
    if (this.busy || this.view !== "edit" || this.tool === "move") return;
    if (this.draws()) {
      this.begin(this.cursor);
      this.end();
    } else this.onpick(...this.cursor, this.tool);
  }

  // Space: put the brush down, or lift it. Returns what happened.
  toggle() {
    if (this.line) { this.end(); return "up"; }
    if (!this.draws()) { this.use(); return "used"; }
    if (!this.cursor) this.step(0, 0);
    if (this.busy || this.view !== "edit") return "busy";
    this.begin(this.cursor);
    return "down";
  }
}
