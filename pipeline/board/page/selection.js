// Select anything by clicks: on what is wanted and on what is not, until it is added or dropped.
import { call, fetchPicture, viewURL } from "./calls.js";
import { byId, percent } from "./dom.js";

const COLOUR = "#ffd400"; // of what is selected; no layer has it

export class Selection {
  constructor(board) {
    this.board = board;
    this.clicks = []; // [x, y, 1 or 0] in the photo's pixels
    byId("add-selection").addEventListener("click", () => this.add());
    byId("drop-selection").addEventListener("click", () => this.drop());
  }

  sign(name) { return this.board.root.querySelector(`input[name="mb-sign"][value="${name}"]`); }

  // Switch between clicks on what is wanted and on what is not.
  turn() {
    const other = !this.sign("other").checked;
    this.sign(other ? "other" : "this").checked = true;
    this.board.messages.say(other ? "Clicks are on what not to select." : "Clicks are on what to select.");
  }

  click(x, y, other) {
    const isOther = other || this.sign("other").checked;
    if (isOther && !this.clicks.some(([, , wanted]) => wanted)) {
      this.board.messages.say("First click what to select.");
      return undefined;
    }
    return this.show([...this.clicks, [x, y, isOther ? 0 : 1]]);
  }

  // Take the last click back; returns whether there was one.
  undo() {
    if (!this.clicks.length) return false;
    if (this.clicks.length === 1) this.drop();
    else this.show(this.clicks.slice(0, -1));
    return true;
  }

  // Ask for what the clicks select; after an error the earlier selection stays.
  show(clicks) {
    const { board } = this;
    return board.attempt(() => board.progress.run("Selecting …", async () => {
      const { photo } = board;
      const state = await call("select_clicks", photo.photo, clicks);
      if (board.photo !== photo) return;
      Object.assign(photo, state);
      const { stage } = board;
      const picture = await fetchPicture(
        viewURL(photo.photo, "draft", state.draft, stage.preview),
      );
      if (board.photo !== photo) return;
      this.clicks = clicks;
      stage.draft = { picture: coloured(picture, stage.preview), clicks };
      stage.draw();
      board.messages.say(
        `Selected: ${percent(state.draft_share)} of the photo. Click more, or Add (Enter) or Drop `
          + "(Escape) it.",
      );
    }));
  }

  async add() {
    if (!this.clicks.length) return;
    const { board } = this;
    await board.change(async (key) => {
      const state = await call("add_selection", key, board.photo.draft);
      this.forget();
      board.messages.say("Added the selection to the mask.");
      return state;
    });
  }

  // Drop the selection; returns whether there was one.
  drop() {
    if (!this.clicks.length) return false;
    this.forget();
    this.board.change((key) => call("drop_selection", key), { redraw: false });
    this.board.messages.say("The selection was dropped.");
    return true;
  }

  // Begin anew; the server's selection is no longer shown.
  forget() {
    this.clicks = [];
    this.board.stage.draft = null;
    this.sign("this").checked = true;
    this.board.stage.draw();
    this.board.update();
  }

  update({ disabled }) {
    const { stage } = this.board;
    byId("selection").hidden = !stage.size || !(stage.selects() || this.clicks.length)
      || stage.view === "compare";
    for (const name of ["add-selection", "drop-selection"]) {
      byId(name).disabled = disabled || !this.clicks.length;
    }
  }
}

// A picture of a mask in the colour of a selection.
function coloured(picture, [width, height]) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d");
  context.drawImage(picture, 0, 0, width, height);
  context.globalCompositeOperation = "source-in";
  context.fillStyle = COLOUR;
  context.fillRect(0, 0, width, height);
  return canvas;
}
