// Saving to the output folder, and downloads.
import { call, downloadURL } from "./calls.js";
import { byId, element } from "./dom.js";

const EXISTS = "exists"; // the code of the error that a file is in the way

export class SavePanel {
  constructor(board) {
    this.board = board;
    byId("save").addEventListener("click", () => this.save());
    for (const what of ["result", "mask"]) {
      byId(`download-${what}`).addEventListener("click", () => this.download(what));
    }
  }

  async save(replace = false) {
    const { board } = this;
    if (!board.photo || byId("save").disabled) return;
    board.messages.clear();
    try {
      const key = board.photo.photo;
      await board.changes;
      const state = await call("save", key, replace);
      if (board.photo?.photo === key) Object.assign(board.photo, state);
      board.list.change(key, state);
      const rest = board.list.mode === "run" ? `. ${board.list.remaining()}` : "";
      board.messages.say(`Saved ${state.output}${rest}`);
    } catch (error) {
      if (replace || error.code !== EXISTS) board.messages.fail(error);
      else if (await board.messages.confirmReplacing(error.message)) await this.save(true);
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
    byId("save-to").textContent = this.describe(photo, current);
  }

  describe(photo, current) {
    if (!photo) return "";
    if (!current) return "Fill the mask, then save.";
    if (photo.saved) return `Saved to ${photo.saves_to}`;
    return photo.saves_to ? `Will be saved to ${photo.saves_to}` : "Download the files to keep.";
  }
}
