// Mouse, pen and fingers on the stage: one pointer uses the tool, two move and zoom.

const MIDDLE_BUTTON = 1, RIGHT_BUTTON = 2;
const STILL = 10; // pixels of the screen that a click may move
const HANDLE_REACH = 24; // pixels of the screen around the line between two layers

const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);

class Pointers {
  constructor(stage) {
    this.stage = stage;
    this.held = new Map(); // pointer id -> its place in the stage
    this.grip = null; // what a movement does: "stroke", "pan" or "split"; "click" if it does nothing
    this.clicked = null; // of a click: where it went down, and whether it is on what is not wanted
  }

  get size() { return this.held.size; }

  place(event) {
    const frame = this.stage.canvas.getBoundingClientRect();
    return [event.clientX - frame.left, event.clientY - frame.top];
  }

  down(event) {
    const { stage } = this;
    const { element } = stage;
    if (!stage.size || event.target.closest("button")) return;
    element.focus({ preventScroll: true });
    const at = this.place(event);
    this.held.set(event.pointerId, at);
    try { element.setPointerCapture(event.pointerId); } catch { /* the pointer is gone already */ }
    stage.cursor = null;
    if (this.held.size === 2) { // the first finger began no stroke, then
      stage.drop();
      this.grip = null;
      return;
    }
    const isOther = event.button === RIGHT_BUTTON;
    if (this.held.size > 2 || event.button > (stage.selects() ? RIGHT_BUTTON : MIDDLE_BUTTON)) return;
    this.clicked = { at, other: isOther || event.altKey };
    this.start(at, event.button === MIDDLE_BUTTON || stage.tool === "move");
    element.classList.toggle("drag", this.grip === "pan" || this.grip === "split");
    event.preventDefault();
  }

  // One pointer went down at a place: decide what its movement does.
  start(at, panning) {
    const { stage } = this;
    const line = stage.left + stage.size[0] * stage.split * stage.scale;
    this.grip = null;
    if (stage.view === "compare") {
      // Of a photo that is seen whole there is nothing to move but the line.
      const isLine = stage.fitted || Math.abs(at[0] - line) < HANDLE_REACH;
      this.grip = !panning && isLine ? "split" : "pan";
    } else if (panning) this.grip = "pan";
    else if (stage.busy) return;
    else if (stage.draws()) {
      this.grip = "stroke";
      stage.begin(stage.toPhoto(at));
    } else this.grip = "click";
  }

  move(event) {
    const { stage } = this;
    if (!stage.size) return;
    const before = this.held.get(event.pointerId);
    const at = this.place(event);
    if (event.pointerType === "mouse") stage.hover = stage.toPhoto(at);
    if (before) this.drag(event, before, at);
    stage.draw();
  }

  drag(event, before, at) {
    const { stage } = this;
    const [dx, dy] = [at[0] - before[0], at[1] - before[1]];
    if (this.held.size === 2) {
      const other = [...this.held].find(([id]) => id !== event.pointerId)[1];
      stage.move(dx / 2, dy / 2);
      const stretch = distance(at, other) / Math.max(1, distance(before, other));
      stage.zoom(stretch, (at[0] + other[0]) / 2, (at[1] + other[1]) / 2);
    } else if (this.grip === "stroke" && stage.line) {
      for (const past of event.getCoalescedEvents?.() || [event]) {
        stage.extend(stage.toPhoto(this.place(past)));
      }
      stage.extend(stage.toPhoto(at));
    } else if (this.grip === "pan") stage.move(dx, dy);
    else if (this.grip === "split") stage.setSplit(stage.toPhoto(at)[0] / stage.size[0]);
    this.held.set(event.pointerId, at);
  }

  up(event) {
    const { stage } = this;
    if (!this.held.delete(event.pointerId)) return;
    if (this.grip === "stroke" && stage.line) {
      if (event.type === "pointerup") stage.end();
      else stage.drop();
    }
    if (this.grip === "click" && event.type === "pointerup") this.click(this.place(event));
    this.grip = null;
    stage.element.classList.remove("drag");
  }

  // A click counts where it went down, once it is up: a second finger makes a zoom of it.
  click(up) {
    const { at, other } = this.clicked;
    const { stage } = this;
    if (stage.busy || distance(at, up) > STILL) return;
    stage.onpick(...stage.toPhoto(at), stage.tool, other);
  }

  leave() {
    this.stage.hover = null;
    this.stage.draw();
  }

  wheel(event) {
    event.preventDefault();
    const speed = event.deltaMode ? 0.05 : 0.0015; // a line is more than a pixel
    this.stage.zoom(Math.exp(-event.deltaY * speed), ...this.place(event));
  }

  blur() {
    const { stage } = this;
    stage.cursor = null;
    if (stage.line && !this.held.size) stage.end();
    stage.draw();
  }
}

// Listen to every pointer on the stage; the result's `size` counts those that are down.
export function listen(stage) {
  const pointers = new Pointers(stage);
  const { element } = stage;
  element.addEventListener("pointerdown", (event) => pointers.down(event));
  element.addEventListener("pointermove", (event) => pointers.move(event));
  element.addEventListener("pointerup", (event) => pointers.up(event));
  element.addEventListener("pointercancel", (event) => pointers.up(event));
  element.addEventListener("pointerleave", () => pointers.leave());
  element.addEventListener("contextmenu", (event) => {
    if (stage.selects()) event.preventDefault();
  });
  element.addEventListener("wheel", (event) => pointers.wheel(event), { passive: false });
  element.addEventListener("blur", () => pointers.blur());
  return pointers;
}
