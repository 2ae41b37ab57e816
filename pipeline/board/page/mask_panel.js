// Changes of the mask: strokes, clicks on objects and parts, classes, files, undo and redo.
import { call, upload } from "./calls.js";
import { byId, element, percent } from "./dom.js";
import { LayerList } from "./layer_list.js";
import { Selection } from "./selection.js";

// Whether a layer is not of the object, or was taken away in part.
const isSpecial = ({ name, taken }) => name !== "object" || taken > 0;

// What goes along with an object, each with its share; and what may.
const sharesAlong = (found) => Object.entries(found).filter(([layer]) => layer !== "object")
  .map(([layer, part]) => `${layer} ${percent(part)}`).join(", ");
const perhaps = (doubtful) =>
  (doubtful.length ? ` Doubtful, so not marked: ${doubtful.join(", ")}.` : "");

export class MaskPanel {
  constructor(board) {
    this.board = board;
    this.layers = new LayerList(board);
    const { stage } = board;
    stage.onstroke = (points, radius, erase) => this.stroke(points, radius, erase);
    this.selection = new Selection(board);
    stage.onpick = (x, y, tool, other) => ({
      object: () => this.object(x, y),
      select: () => this.selection.click(x, y, other),
      part: () => this.part(x, y),
    }[tool] || (() => this.pick(x, y, tool === "keep")))();
    for (const action of ["undo", "redo", "clear"]) {
      byId(`do-${action}`).addEventListener("click", () => this.edit(action));
    }
    byId("select").addEventListener("click", () => this.select());
    byId("find-along").addEventListener("click", () => this.findAlong());
    byId("widen").addEventListener("input", () => this.showRadius());
    byId("load").addEventListener("change", (event) => {
      this.load(event.target.files[0]);
      event.target.value = "";
    });
  }

  // Offer the classes that the segmenter knows, in the server's order, and name the layers.
  offer({ categories, colours }) {
    this.layers.begin(colours);
    byId("class").append(...categories.map((name) => element("option", name, { value: name })));
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

  // The page draws a stroke itself, but only the server knows of the layers beneath it.
  stroke(points, radius, erase) {
    const redraw = this.board.photo?.layers.some(isSpecial);
    return this.board.change(
      (key) => call("stroke", key, points, radius, erase), { redraw },
    );
  }

  edit(action) {
    if (action === "undo" && this.selection.undo()) return undefined;
    return this.change(action);
  }

  change(action) { return this.board.change((key) => call("edit", key, action)); }

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

  // The first click on a photo looks for its objects. Where none is known, selecting begins.
  object(x, y) {
    const { board } = this;
    return board.attempt(() => board.progress.run("Looking for objects …", async () => {
      let found;
      await board.change(async (key) => {
        found = await call("click_object", key, x, y);
        const { object: name, added } = found;
        if (name) board.messages.say(added ? `Marked: this ${name}.` : `Taken out: this ${name}.`);
        return found;
      });
      return found;
    })).then((found) => {
      if (!found || found.object) return undefined;
      board.view.chooseTool("select");
      return this.selection.click(x, y, false);
    });
  }

  async part(x, y) {
    await this.board.change(async (key) => {
      const state = await call("part", key, x, y);
      this.board.messages.say(
        !state.layer ? "There is no layer of the mask here."
          : state.given ? `Given back: this part (${state.layer}).`
            : `Taken away: this part (${state.layer}). Click it again to give it back.`,
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
      this.board.messages.say(this.found(name, state));
      return state;
    });
  }

  // What a class has, and what goes along with it.
  found(name, { class_share: total, found, doubtful }) {
    if (!total) return `No ${name} was found.`;
    const along = sharesAlong(found);
    const share = percent(along ? found.object || 0 : total);
    const more = along ? `, and with it ${along}` : "";
    return `${name}: ${share} of the photo${more}.${perhaps(doubtful)}`;
  }

  findAlong() {
    const { board } = this;
    return board.attempt(() => board.progress.run("Looking for what goes along …", () =>
      board.change(async (key) => {
        const state = await call("find_along", key);
        const along = sharesAlong(state.found);
        board.messages.say(
          (along ? `Found with it: ${along}.` : "Nothing more was found that goes along.")
            + perhaps(state.doubtful),
        );
        return state;
      })));
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
    byId("do-undo").disabled = disabled || !(photo.can_undo || this.selection.clicks.length);
    byId("do-redo").disabled = disabled || !photo.can_redo;
    byId("do-clear").disabled = disabled || !photo.layers.length;
    byId("find-along").disabled = disabled
      || !photo.layers.some(({ name, share }) => name === "object" && share > 0);
    this.layers.update({ photo, disabled });
    this.selection.update({ photo, disabled });
    byId("share").textContent = !photo ? "No photo is open."
      : !photo.is_empty ? `${percent(photo.share)} of the photo is marked.`
        : photo.layers.length ? "All that was marked is taken away."
          : "Nothing is marked yet: draw, select by class, or load a mask.";
  }
}
