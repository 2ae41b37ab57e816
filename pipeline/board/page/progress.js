// Run one slow action at a time, a fill or a segmentation, and show how far it is.
import { call } from "./calls.js";
import { byId } from "./dom.js";

const STAGES = {
  loading: "Loading the networks",
  segment: "Segmenting the photo",
  faces: "Detecting faces",
  series: "Looking at photos of the same place",
  inpaint: "Painting",
  probe: "Probing",
  compare: "Filling with the classical methods",
  measure: "Measuring",
  done: "Done",
};
const INTERVAL = 350; // milliseconds between two looks at the progress

export class Progress {
  constructor(board) {
    this.board = board;
    this.running = false;
    byId("cancel").addEventListener("click", () => this.cancel());
  }

  async run(label, action) {
    const { board } = this;
    if (this.running || !board.photo) return undefined;
    this.setRunning(true);
    byId("progress").value = 0;
    byId("progress-text").textContent = label;
    const timer = setInterval(() => this.show(), INTERVAL);
    try {
      await board.changes;
      return await action();
    } finally {
      clearInterval(timer);
      this.setRunning(false);
    }
  }

  setRunning(running) {
    this.running = this.board.stage.busy = running;
    byId("progress-box").hidden = byId("cancel").hidden = !running;
    this.board.update();
  }

  async show() {
    const progress = await call("progress").catch(() => null);
    if (!progress || !progress.photo || !this.running) return;
    const stage = STAGES[progress.stage] || progress.stage;
    const text = `${stage} … ${Math.round(100 * progress.share)} %`;
    byId("progress").value = progress.share;
    byId("progress-text").textContent = progress.stopping ? "Stopping …" : text;
  }

  cancel() {
    if (!this.running) return;
    call("cancel").catch(() => {});
    byId("progress-text").textContent = "Stopping …";
  }
}
