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
    name: "put_back", replaces: true, done: (file) => `The earlier result is back at ${file}`,
  },
};

export class SavePanel {
  constructor(board) {
    this.board = board;
    for (const button of Object.keys(DECISIONS)) {
      byId(button).addEventListener("click", () => this.decide(button));
    }
    for (const what of ["result", "mask"]) {
      byId(`download-${what}`).addEventListener("click", () => this.download(what));
    }
  }

  async decide(button, replace = false) {
    const { board } = this;
    const { name, replaces, done } = DECISIONS[button];
    if (!board.photo || byId(button).disabled || byId(button).hidden) return;
    board.messages.clear();
    try {
      const key = board.photo.photo;
      await board.changes;
      const state = await (replaces ? call(name, key, replace) : call(name, key));
      board.list.change(key, state);
      const rest = board.list.mode === "run" ? `. ${board.list.remaining()}` : "";
      board.messages.say(`${done(state.output)}${rest}`);
      if (board.photo?.photo !== key) return;
      Object.assign(board.photo, state);
      await board.redraw();
      await board.comparison.show(board.photo, { keep: true });
    } catch (error) {
      if (replace || error.code !== EXISTS) await board.fail(error);
      else if (await board.messages.confirmReplacing(error.message)) {
        await this.decide(button, true);
      }
    } finally { board.update(); }
  }

  download(what) {
    const { photo, root } = this.board;
    if (!photo) return;
    const link = element("a", "", { href: downloadURL(photo.photo, what), download: "" });
    root.append(link);
    link.click();
    link.remove();
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
    byId("accept").disabled = disabled || !accept;
    byId("restore").disabled = disabled || !restore;
    byId("put-back").disabled = disabled || !putBack;
    byId("accept").hidden = !photo?.before;
    byId("put-back").hidden = !putBack;
    byId("decisions").hidden = !photo?.before && !restore && !putBack;
    byId("verdict-text").hidden = !photo?.before;
    byId("verdict-title").textContent = photo?.before ? "The run's verdict" : "The present result";
    byId("verdict").hidden = byId("verdict-text").hidden && byId("decisions").hidden;
  }

  describe(photo, current) {
    if (!photo) return "";
    if (!current) return "Fill the mask, then save.";
    if (photo.saved) return `Saved to ${photo.saves_to}`;
    return photo.saves_to ? `Will be saved to ${photo.saves_to}` : "Download the files to keep.";
  }
}
