// Changes of the mask: strokes, clicks on objects, classes, files, undo and redo.
import { call, upload } from "./calls.js";
import { byId, element, percent } from "./dom.js";

export class MaskPanel {
  constructor(board) {
    this.board = board;
    const { stage } = board;
    stage.onstroke = (points, radius, erase) =>
      board.change((key) => call("stroke", key, points, radius, erase), { redraw: false });
    stage.onpick = (x, y, keep) => this.pick(x, y, keep);
    for (const action of ["undo", "redo", "clear"]) {
      byId(`do-${action}`).addEventListener("click", () => this.edit(action));
    }
    byId("select").addEventListener("click", () => this.select());
    byId("widen").addEventListener("input", () => this.showRadius());
    byId("load").addEventListener("change", (event) => {
      this.load(event.target.files[0]);
      event.target.value = "";
    });
  }

  // Offer the classes that the segmenter knows, in the server's order.
  offer(classes) {
    byId("class").append(...classes.map((name) => element("option", name, { value: name })));
  }

  // Begin with the radius by which the batch widens a class's mask on this photo.
  begin(photo) {
    const slider = byId("widen");
    slider.max = Math.max(20, photo.auto_widen * 4);
    slider.value = photo.auto_widen;
    this.showRadius();
  }

  showRadius() {
    const text = `${byId("widen").value} px`;
    byId("widen-value").textContent = text;
    byId("widen").setAttribute("aria-valuetext", text);
  }

  edit(action) { return this.board.change((key) => call("edit", key, action)); }

  async pick(x, y, keep) {
    await this.board.change(async (key) => {
      const state = await call("pick", key, x, y, keep);
      this.board.messages.say(
        !state.hit ? "There is no object in the mask here."
          : keep ? "Kept only this object." : "Dropped the object.",
      );
      return state;
    });
  }

  select() {
    const { board } = this;
    return board.attempt(
      () => board.progress.run("Segmenting the photo …", () => this.addClass()),
    );
  }

  addClass() {
    const name = byId("class").value;
    const radius = Number(byId("widen").value);
    return this.board.change(async (key) => {
      const state = await call("select_class", key, [name], radius, byId("how").value);
      this.board.messages.say(
        state.class_share
          ? `${name}: ${percent(state.class_share)} of the photo.`
          : `No ${name} was found.`,
      );
      return state;
    });
  }

  async load(file) {
    if (!file || !this.board.photo) return;
    await this.board.change(async (key) => {
      const state = await call("load_mask", key, await upload(file), byId("how").value);
      this.board.messages.say(`Loaded ${file.name}.`);
      return state;
    });
  }

  update({ photo, disabled }) {
    for (const name of ["select", "load", "class", "how", "widen"]) byId(name).disabled = disabled;
    byId("do-undo").disabled = disabled || !photo.can_undo;
    byId("do-redo").disabled = disabled || !photo.can_redo;
    byId("do-clear").disabled = disabled || photo.is_empty;
    byId("share").textContent = !photo ? "No photo is open."
      : !photo.is_empty ? `${percent(photo.share)} of the photo is marked.`
        : "Nothing is marked yet: draw, select by class, or load a mask.";
  }
}
