// Decisions about the result in the output folder, and downloads.
import { call, downloadURL } from "./calls.js";
import { byId, element } from "./dom.js";

const EXISTS = "exists"; // the code of the error that a file is in the way

// The buttons: their calls, whether they may replace a file, and what they say when it is done.
const DECISIONS = {
  save: { name: "save", replaces: true, done: (file) => `Saved ${file}` },
  accept: { name: "accept", replaces: false, done: (file) => `Accepted ${file} as it is` },
  restore: { name: "restore", replaces: true, done: (file) => `The original is at ${file}` },
  "put-back": {
    name: "undo_decision",
    replaces: true,
    done: (file, { status, decision, reviewed }) => (status && !decision && !reviewed
      ? `Undone: ${file} is as the run left it` : `The earlier result is back at ${file}`),
  },
};
// What the button says that undoes a decision.
const UNDO = {
  fill: "Undo fill", accepted: "Undo accept", mended: "Undo save", restored: "Undo restore",
};
// Of a dropped photo, if the board has no output folder.
const NO_FOLDER = "This board has no folder for results: download the result and the mask to keep "
  + "them, or start it with --output DIR to save here.";
const PUT_BACK = "Put back the earlier result";

export class SavePanel {
  constructor(board) {
    this.board = board;
    for (const button of ["save", "accept", "restore"]) {
      byId(button).addEventListener("click", () => this.decide(button));
    }
    byId("put-back").addEventListener("click", () => this.undo());
    byId("save-next").addEventListener("click", () => this.saveAndNext());
    for (const what of ["result", "mask"]) {
      byId(`download-${what}`).addEventListener("click", () => this.download(what));
    }
  }

  // Returns whether it was done.
  async decide(button, replace = false) {
    const { board } = this;
    const { name, replaces, done } = DECISIONS[button];
    if (!board.photo || byId(button).disabled || byId(button).hidden) return false;
    board.messages.clear();
    try {
      const key = board.photo.photo;
      await board.changes;
      const state = await (replaces ? call(name, key, replace) : call(name, key));
      board.list.change(key, state);
      const rest = board.list.mode === "run" ? `. ${board.list.remaining()}` : "";
      board.messages.say(`${done(state.output, state)}${rest}`);
      if (board.photo?.photo !== key) return true;
      Object.assign(board.photo, state);
      await board.redraw();
      await board.comparison.show(board.photo, { keep: true });
      return true;
    } catch (error) {
      if (replace || error.code !== EXISTS) await board.fail(error);
      else if (await board.messages.confirmReplacing(error.message)) {
        return this.decide(button, true);
      }
      return false;
    } finally { board.update(); }
  }

  // Undo what was done last: a fill that is not saved yet, else the last decision.
  undo() {
    const { board } = this;
    if (!unsaved(board.photo)) return this.decide("put-back");
    return board.attempt(async () => {
      const key = board.photo.photo;
      await board.changes;
      const state = await call("drop_fill", key);
      if (board.photo?.photo !== key) return;
      Object.assign(board.photo, state);
      await board.showFill();
      board.messages.say("The fill is dropped; the mask stays.");
      board.update();
    });
  }

  // Save a new fill if there is one, and go on; without one, only go on. What was saved is still
  // told when the next photo is open: whoever goes on at once has to know it.
  async saveAndNext() {
    const { board } = this;
    if (byId("save-next").disabled) return;
    const saves = !byId("save").disabled && unsaved(board.photo);
    if (saves && !(await this.decide("save"))) return;
    const told = saves ? board.messages.said : "";
    const next = board.list.next();
    if (next) await board.list.open(next.photo, told);
    else board.messages.say(told, board.list.ended(saves));
  }

  download(what) {
    const { photo, root, messages } = this.board;
    if (!photo) return;
    const link = element("a", "", { href: downloadURL(photo.photo, what), download: "" });
    root.append(link);
    link.click();
    link.remove();
    if (what !== "result" || photo.saves_to) return;
    photo.fill_is_saved = true; // there is no other way to keep it
    messages.say(`${photo.name}: the result is among your downloads.`);
    this.board.update();
  }

  update({ photo, disabled }) {
    const current = photo?.fill_is_current;
    const failed = photo?.report?.status === "failed";
    byId("save").disabled = disabled || !current || failed;
    byId("download-result").disabled = disabled || !current || failed;
    byId("download-mask").disabled = disabled;
    byId("save").hidden = !!photo && !photo.saves_to;
    this.updateDecisions(photo, disabled);
    byId("save-to").textContent = this.describe(photo, current);
  }

  // The decisions about the result that stands in the output folder. Without one they are hidden.
  updateDecisions(photo, disabled) {
    const { can_accept: accept, can_restore: restore, can_put_back: putBack } = photo || {};
    const what = unsaved(photo) ? "fill" : photo?.undoes;
    byId("accept").disabled = disabled || !accept;
    byId("restore").disabled = disabled || !restore;
    byId("put-back").disabled = disabled;
    byId("put-back").textContent = UNDO[what] || PUT_BACK;
    byId("put-back").title = what === "fill" ? "Drop the new fill; the mask stays (U)"
      : "Undo the last decision: its mask comes back too (U)";
    byId("accept").hidden = !photo?.before;
    byId("restore").hidden = !photo?.before && !restore;
    byId("put-back").hidden = !what && !putBack;
    byId("save-next").hidden = !photo?.saves_to || this.board.list.photos.length < 2;
    byId("save-next").disabled = disabled;
  }

  describe(photo, current) {
    if (!photo) return "";
    if (!photo.saves_to) return NO_FOLDER;
    if (!current) return `Fill the mask, then save: the result goes to ${photo.saves_to}`;
    return photo.saved ? `Saved to ${photo.saves_to}` : `Will be saved to ${photo.saves_to}`;
  }
}

// Whether there is a fill that was not saved.
export const unsaved = (photo) => !!photo?.filled && !photo.fill_is_saved;
