// Leaving a photo: what was drawn and not filled, or filled and not saved, is never left unsaid.
import { answered, byId } from "./dom.js";
import { unsaved } from "./save_panel.js";

// What would be left: the words of the question, the button that goes on with it, and what that
// button does. The first that fits is asked.
const WAYS = [
  {
    fits: (board) => board.mask.selection.clicks.length > 0,
    title: "The selection is not in the mask",
    text: ({ name }) => `What you selected on ${name} was not added to the mask, and not filled.`,
    button: "Add and fill",
    act: async (board) => { await board.mask.selection.add(); await board.fill.fill(); },
    left: (photo) => [`The selection on ${photo.name} was dropped.`, photo.unfilled && keptMask(photo)]
      .filter(Boolean).join(" "),
  },
  {
    fits: ({ photo }) => photo.unfilled && photo.is_empty,
    title: "The mask is empty",
    text: ({ name }) => `You emptied the mask of ${name}. So nothing is filled, and its result stays as it was.`,
    left: ({ name }) => `The result of ${name} stays as it was.`,
  },
  {
    fits: ({ photo }) => photo.unfilled,
    title: "The mask is not filled",
    text: ({ name }) => `You changed the mask of ${name} and did not fill it.`,
    button: "Fill",
    act: (board) => board.fill.fill(),
    left: (photo) => keptMask(photo),
  },
  {
    fits: ({ photo }) => unsaved(photo) && photo.report?.status !== "failed",
    title: "The fill is not saved",
    text: ({ name }) => `The new fill of ${name} is not saved.`,
    button: ({ saves_to: target, fill_is_current: current }) => (
      !current ? "" : target ? "Save" : "Download"),
    act: (board) => (board.photo.saves_to ? board.save.decide("save") : board.save.download("result")),
    goesOn: true,
    left: (photo) => `The fill of ${photo.name} was not saved; its mask is kept as a draft ${howLong(photo)}.`,
  },
];

const keptMask = (photo) =>
  `The mask of ${photo.name} was not filled; it is kept as a draft ${howLong(photo)}.`;

const howLong = ({ is_upload: uploaded }) => (uploaded
  ? "until eight newer photos are dropped" : "while the board runs");

export class Leaving {
  constructor(board) {
    this.board = board;
    this.goes = false; // whether the page may be left without a question
    // The browser asks in its own words, and only if the person did anything on the page.
    window.addEventListener("beforeunload", (event) => {
      if (!this.goes && (this.way() || board.progress.running)) event.preventDefault();
    });
    byId("to-report").addEventListener("click", (event) => this.toPage(event));
  }

  // What would be left of the open photo; undefined if nothing.
  way() {
    const { board } = this;
    return board.photo ? WAYS.find((way) => way.fits(board)) : undefined;
  }

  // Ask before the open photo is left. Returns what to say of it behind it, or null to stay.
  async ask() {
    const { board } = this, { stage } = board;
    if (byId("leave").open) return null;
    if (stage.line) stage.end(); // a stroke by the keyboard
    await board.changes;
    const way = this.way(), { photo } = board;
    if (!way) { this.mark(photo); return ""; }
    const choice = await this.choose(way, photo);
    if (board.photo !== photo) return null;
    if (choice === "leave") { this.mark(photo); return way.left(photo); }
    if (choice !== "act") return null; // the button, or Escape
    const done = await way.act(board);
    if (!way.goesOn || done === false) return null;
    this.mark(photo);
    return board.messages.said;
  }

  choose(way, photo) {
    const text = (part) => (typeof part === "function" ? part(photo) : part);
    byId("leave-title").textContent = text(way.title);
    byId("leave-text").textContent = text(way.text);
    const button = text(way.button);
    byId("leave-act").hidden = !button;
    byId("leave-act").textContent = button || "";
    return answered(byId("leave"));
  }

  // The list says which photos have a draft.
  mark(photo) {
    if (photo) this.board.list.change(photo.photo, { draft: photo.unfilled || unsaved(photo) });
  }

  // A link of the page: ask as for another photo.
  async toPage(event) {
    if (!this.way() && !this.board.stage.line) return;
    event.preventDefault();
    const { href } = event.currentTarget;
    if ((await this.ask()) === null) return;
    this.goes = true;
    location.assign(href);
  }
}
