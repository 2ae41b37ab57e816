// The photo on the screen: zoom, pan, strokes, the keyboard's cursor, and two pictures with a line between them.
// Everything it says and hears of places is in the photo's own pixels; only `scale` and `left`, `top` know the screen.

const PREVIEW = 1600; // longer side of what is fetched of a whole photo
const TINT = "rgb(226 0 116 / 55%)";

export class Stage {
  constructor(element, canvas) {
    this.element = element;
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.mask = document.createElement("canvas"); // white where something is to be removed, at the preview's size
    this.tinted = document.createElement("canvas");
    this.tool = "brush";
    this.radius = 20;
    this.view = "edit";
    this.split = 0.5;
    this.size = null; // [width, height] of the photo
    this.layers = {}; // name -> picture of the whole photo
    this.details = {}; // name -> {image, box}: what is in view, at the screen's pixels
    this.right = "result";
    this.cursor = null; // of the keyboard
    this.hover = null; // of the mouse
    this.line = null; // the stroke that is being drawn
    this.fingers = new Map();
    this.busy = false;
    this.onstroke = this.onpick = this.onview = this.onsplit = () => {};
    this.fetchDetail = null;
    this.listen();
    new ResizeObserver(() => this.resized()).observe(element);
  }

  // --- what is shown -------------------------------------------------------------------------------------------------

  show(size, photo) {
    this.size = size;
    this.layers = { photo };
    this.details = {};
    this.line = this.cursor = this.hover = null;
    const share = Math.min(1, PREVIEW / Math.max(...size));
    this.preview = size.map((n) => Math.max(1, Math.round(n * share)));
    for (const layer of [this.mask, this.tinted]) [layer.width, layer.height] = this.preview;
    this.fit();
  }

  previewSize(size) {
    const share = Math.min(1, PREVIEW / Math.max(...size));
    return size.map((n) => Math.max(1, Math.round(n * share)));
  }

  setMask(image) {
    const to = this.mask.getContext("2d");
    to.clearRect(0, 0, ...this.preview);
    if (image) to.drawImage(image, 0, 0, ...this.preview);
    this.tint();
  }

  setLayers(layers) {
    this.layers = { photo: this.layers.photo, ...layers };
    this.details = {};
    this.draw();
    this.settle();
  }

  tint() {
    const to = this.tinted.getContext("2d");
    to.globalCompositeOperation = "copy";
    to.drawImage(this.mask, 0, 0);
    to.globalCompositeOperation = "source-in";
    to.fillStyle = TINT;
    to.fillRect(0, 0, ...this.preview);
    this.draw();
  }

  // --- zoom and pan --------------------------------------------------------------------------------------------------

  resized() {
    const { clientWidth: w, clientHeight: h } = this.element;
    const ratio = window.devicePixelRatio || 1;
    const fitted = this.fitted;
    this.canvas.width = Math.max(1, Math.round(w * ratio));
    this.canvas.height = Math.max(1, Math.round(h * ratio));
    if (this.size) fitted ? this.fit() : this.move(0, 0);
    this.paint(); // at once: another size has emptied the canvas
  }

  fit() {
    const { clientWidth: w, clientHeight: h } = this.element;
    const [width, height] = this.size;
    this.scale = this.least = Math.min((w - 24) / width, (h - 24) / height, 4);
    this.left = (w - width * this.scale) / 2;
    this.top = (h - height * this.scale) / 2;
    this.fitted = true;
    this.changed();
  }

  zoom(factor, x = this.element.clientWidth / 2, y = this.element.clientHeight / 2) {
    if (!this.size) return;
    const scale = Math.min(16, Math.max(this.least * 0.5, this.scale * factor));
    this.left = x - (x - this.left) * (scale / this.scale);
    this.top = y - (y - this.top) * (scale / this.scale);
    this.scale = scale;
    this.fitted = false;
    this.move(0, 0);
  }

  zoomTo(scale) { this.zoom(scale / (this.scale * (window.devicePixelRatio || 1))); }

  move(dx, dy) {
    if (!this.size) return;
    const { clientWidth: w, clientHeight: h } = this.element;
    const keep = 60; // so much of the photo stays in view
    this.left = Math.min(w - keep, Math.max(keep - this.size[0] * this.scale, this.left + dx));
    this.top = Math.min(h - keep, Math.max(keep - this.size[1] * this.scale, this.top + dy));
    if (dx || dy) this.fitted = false;
    this.changed();
  }

  changed() {
    this.onview(this.scale * (window.devicePixelRatio || 1));
    this.draw();
    this.settle();
  }

  // Once the view rests, what is in view is fetched at the screen's own pixels.
  settle() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.sharpen(), 160);
  }

  async sharpen() {
    if (!this.size || !this.fetchDetail) return;
    const ratio = window.devicePixelRatio || 1;
    if (this.scale * ratio < (this.preview[0] / this.size[0]) * 1.1) return;
    const [width, height] = this.size;
    const x0 = Math.max(0, Math.floor(-this.left / this.scale)), y0 = Math.max(0, Math.floor(-this.top / this.scale));
    const x1 = Math.min(width, Math.ceil((this.element.clientWidth - this.left) / this.scale));
    const y1 = Math.min(height, Math.ceil((this.element.clientHeight - this.top) / this.scale));
    if (x1 <= x0 || y1 <= y0) return;
    const box = [x0, y0, x1 - x0, y1 - y0];
    const size = [box[2], box[3]].map((n) => Math.max(1, Math.min(2048, Math.round(n * Math.min(1, this.scale * ratio)))));
    const layers = this.layers;
    for (const name of this.view === "compare" ? ["photo", this.right] : ["photo"]) {
      const held = this.details[name];
      if (!this.layers[name] || (held && held.box.join() === box.join())) continue;
      const image = await this.fetchDetail(name, box, size).catch(() => null);
      if (!image || layers !== this.layers) return;
      this.details[name] = { image, box };
      this.draw();
    }
  }

  // --- drawing -------------------------------------------------------------------------------------------------------

  draw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.paint(); });
  }

  paint() {
    const { context: c, canvas } = this;
    const ratio = window.devicePixelRatio || 1;
    c.setTransform(1, 0, 0, 1, 0, 0);
    c.clearRect(0, 0, canvas.width, canvas.height);
    if (!this.size) return;
    const place = () => c.setTransform(ratio * this.scale, 0, 0, ratio * this.scale, ratio * this.left, ratio * this.top);
    place();
    c.imageSmoothingEnabled = this.scale * ratio < 3;
    c.imageSmoothingQuality = "high";
    const comparing = this.view === "compare" && this.layers[this.right];
    if (comparing) {
      const at = this.size[0] * this.split;
      this.paintLayer("photo", 0, at);
      this.paintLayer(this.right, at, this.size[0]);
      c.setTransform(ratio, 0, 0, ratio, 0, 0);
      const x = this.left + at * this.scale, top = Math.max(0, this.top), bottom = Math.min(this.element.clientHeight, this.top + this.size[1] * this.scale);
      c.fillStyle = "#000";
      c.fillRect(x - 2, top, 4, bottom - top);
      c.fillStyle = "#fff";
      c.fillRect(x - 1, top, 2, bottom - top);
      const y = (top + bottom) / 2;
      c.beginPath();
      c.arc(x, y, 14, 0, 7);
      c.fill();
      c.strokeStyle = "#000";
      c.stroke();
      c.beginPath();
      c.moveTo(x - 4, y - 5); c.lineTo(x - 9, y); c.lineTo(x - 4, y + 5);
      c.moveTo(x + 4, y - 5); c.lineTo(x + 9, y); c.lineTo(x + 4, y + 5);
      c.stroke();
      return;
    }
    this.paintLayer("photo", 0, this.size[0]);
    c.drawImage(this.tinted, 0, 0, ...this.size);
    const at = this.cursor || this.hover;
    if (!at || this.tool === "move") return;
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    const x = this.left + at[0] * this.scale, y = this.top + at[1] * this.scale;
    const brush = this.tool === "brush" || this.tool === "eraser";
    for (const [color, width] of [["#000", 3], ["#fff", 1.5]]) {
      c.strokeStyle = color;
      c.lineWidth = width;
      c.beginPath();
      if (brush) c.arc(x, y, Math.max(2, this.radius * this.scale), 0, 7);
      if (!brush || this.cursor) { c.moveTo(x - 9, y); c.lineTo(x + 9, y); c.moveTo(x, y - 9); c.lineTo(x, y + 9); }
      if (brush && this.tool === "eraser") c.setLineDash([5, 4]);
      c.stroke();
      c.setLineDash([]);
    }
  }

  paintLayer(name, from, to) {
    const { context: c } = this;
    c.save();
    c.beginPath();
    c.rect(from, 0, to - from, this.size[1]);
    c.clip();
    c.drawImage(this.layers[name], 0, 0, ...this.size);
    const detail = this.details[name];
    if (detail) c.drawImage(detail.image, ...detail.box);
    c.restore();
  }

  // --- strokes -------------------------------------------------------------------------------------------------------

  begin(point) {
    this.line = { points: [point], radius: this.radius, erase: this.tool === "eraser", before: this.copyMask() };
    this.segment(point, point);
  }

  extend(point) {
    const { points } = this.line;
    const last = points[points.length - 1];
    if (Math.hypot(point[0] - last[0], point[1] - last[1]) < Math.max(0.5, 0.5 / this.scale)) return;
    points.push(point);
    this.segment(last, point);
  }

  end() {
    const { line } = this;
    this.line = null;
    if (line) this.onstroke(line.points, line.radius, line.erase);
  }

  drop() {
    if (!this.line) return false;
    this.mask.getContext("2d").putImageData(this.line.before, 0, 0);
    this.line = null;
    this.tint();
    return true;
  }

  copyMask() { return this.mask.getContext("2d").getImageData(0, 0, ...this.preview); }

  // The same line that the server draws at the photo's size, here at the preview's.
  segment(a, b) {
    const to = this.mask.getContext("2d");
    const share = this.preview[0] / this.size[0];
    to.save();
    to.globalCompositeOperation = this.line.erase ? "destination-out" : "source-over";
    to.strokeStyle = "#fff";
    to.lineCap = "round";
    to.lineWidth = Math.max(1, 2 * this.line.radius * share);
    to.beginPath();
    to.moveTo(a[0] * share, a[1] * share);
    to.lineTo(b[0] * share + 0.001, b[1] * share);
    to.stroke();
    to.restore();
    this.tint();
  }

  // --- hands ---------------------------------------------------------------------------------------------------------

  place(event) {
    const frame = this.canvas.getBoundingClientRect();
    return [event.clientX - frame.left, event.clientY - frame.top];
  }

  toPhoto([x, y]) { return [(x - this.left) / this.scale, (y - this.top) / this.scale]; }

  listen() {
    const { element } = this;
    element.addEventListener("pointerdown", (event) => {
      if (!this.size || event.target.closest("button")) return;
      element.focus({ preventScroll: true });
      const at = this.place(event);
      this.fingers.set(event.pointerId, at);
      try { element.setPointerCapture(event.pointerId); } catch { /* a pointer that has gone already */ }
      this.cursor = null;
      if (this.fingers.size === 2) { // two fingers move and zoom: what the first one began was no stroke
        this.drop();
        this.grip = null;
        return;
      }
      if (this.fingers.size > 2) return;
      const panning = event.button === 1 || this.tool === "move";
      if (event.button > 1) return;
      if (this.view === "compare") this.grip = !panning && Math.abs(at[0] - (this.left + this.size[0] * this.split * this.scale)) < 24 ? "split" : "pan";
      else if (panning) this.grip = "pan";
      else if (this.busy) this.grip = null;
      else if (this.tool === "brush" || this.tool === "eraser") { this.grip = "stroke"; this.begin(this.toPhoto(at)); }
      else { this.grip = null; this.onpick(...this.toPhoto(at), this.tool === "keep"); }
      element.classList.toggle("drag", this.grip === "pan" || this.grip === "split");
      event.preventDefault();
    });
    element.addEventListener("pointermove", (event) => {
      if (!this.size) return;
      const before = this.fingers.get(event.pointerId);
      const at = this.place(event);
      if (event.pointerType === "mouse") this.hover = this.toPhoto(at);
      if (before && this.fingers.size === 2) {
        const other = [...this.fingers].find(([id]) => id !== event.pointerId)[1];
        const stretch = Math.hypot(at[0] - other[0], at[1] - other[1]) / Math.max(1, Math.hypot(before[0] - other[0], before[1] - other[1]));
        this.move((at[0] - before[0]) / 2, (at[1] - before[1]) / 2);
        this.zoom(stretch, (at[0] + other[0]) / 2, (at[1] + other[1]) / 2);
      } else if (before && this.grip === "stroke" && this.line) {
        for (const e of event.getCoalescedEvents?.() || [event]) this.extend(this.toPhoto(this.place(e)));
        this.extend(this.toPhoto(at));
      } else if (before && this.grip === "pan") this.move(at[0] - before[0], at[1] - before[1]);
      else if (before && this.grip === "split") this.setSplit(this.toPhoto(at)[0] / this.size[0]);
      if (before) this.fingers.set(event.pointerId, at);
      this.draw();
    });
    const up = (event) => {
      if (!this.fingers.delete(event.pointerId)) return;
      if (this.grip === "stroke" && this.line) event.type === "pointerup" ? this.end() : this.drop();
      this.grip = null;
      element.classList.remove("drag");
    };
    element.addEventListener("pointerup", up);
    element.addEventListener("pointercancel", up);
    element.addEventListener("pointerleave", () => { this.hover = null; this.draw(); });
    element.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), ...this.place(event));
    }, { passive: false });
    element.addEventListener("blur", () => { this.cursor = null; if (this.line && !this.fingers.size) this.end(); this.draw(); });
  }

  setSplit(value) {
    this.split = Math.min(1, Math.max(0, value));
    this.onsplit(this.split);
    this.draw();
  }

  // --- keys ----------------------------------------------------------------------------------------------------------

  // The cursor moves by half a brush, or by a pixel; it stays on the photo and in view.
  step(dx, dy, fine) {
    const [width, height] = this.size;
    if (!this.cursor) {
      const middle = this.toPhoto([this.element.clientWidth / 2, this.element.clientHeight / 2]);
      this.cursor = [Math.min(width, Math.max(0, middle[0])), Math.min(height, Math.max(0, middle[1]))];
    } else {
      const by = fine ? 1 : Math.max(2, this.radius / 2);
      this.cursor = [Math.min(width, Math.max(0, this.cursor[0] + dx * by)), Math.min(height, Math.max(0, this.cursor[1] + dy * by))];
    }
    if (this.line && !this.fingers.size) this.extend(this.cursor);
    const x = this.left + this.cursor[0] * this.scale, y = this.top + this.cursor[1] * this.scale, edge = 20;
    const { clientWidth: w, clientHeight: h } = this.element;
    const over = [x < edge ? edge - x : x > w - edge ? w - edge - x : 0, y < edge ? edge - y : y > h - edge ? h - edge - y : 0];
    if (over[0] || over[1]) this.move(...over);
    this.draw();
  }

  // Enter: the tool, once, at the cursor.
  use() {
    if (!this.cursor) this.step(0, 0);
    if (this.busy || this.view !== "edit" || this.tool === "move") return;
    if (this.tool === "brush" || this.tool === "eraser") { this.begin(this.cursor); this.end(); }
    else this.onpick(...this.cursor, this.tool === "keep");
  }

  // Space: the brush goes down, or up. Returns what it did.
  toggle() {
    if (this.line) { this.end(); return "up"; }
    if (this.tool !== "brush" && this.tool !== "eraser") { this.use(); return "used"; }
    if (!this.cursor) this.step(0, 0);
    if (this.busy || this.view !== "edit") return "busy";
    this.begin(this.cursor);
    return "down";
  }
}
