// The keyboard: shortcuts anywhere, and letters while the photo has the focus.
import { byId } from "./dom.js";

const PAN = 60; // pixels of the screen for each arrow key
const SPLIT = 0.02; // share of the photo's width for each arrow key
const BRUSH = 1.2; // ratio of two brush sizes

export class Keys {
  constructor(board) {
    this.board = board;
    byId("stage").addEventListener("keydown", (event) => this.onStage(event));
    document.addEventListener("keydown", (event) => this.anywhere(event));
  }

  anywhere(event) {
    const { mask, progress, save } = this.board;
    if (document.querySelector("#mask-board dialog[open]")) return;
    if (event.key === "Escape" && progress.running) progress.cancel();
    if (!(event.ctrlKey || event.metaKey) || event.altKey) return;
    const actions = {
      z: () => mask.edit(event.shiftKey ? "redo" : "undo"),
      y: () => mask.edit("redo"),
      s: () => save.decide("save"),
      enter: () => save.saveAndNext(),
    };
    const action = actions[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    if (!progress.running) action();
  }

  // Letters act only while the photo has the focus, so they never surprise someone who types or
  // dictates.
  onStage(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.board.stage.size) return;
    const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const action = this.stageActions(event)[name];
    if (!action) return;
    event.preventDefault();
    action();
  }

  stageActions(event) {
    const { fill, list, mask, save, stage, view } = this.board;
    return {
      b: () => this.choose("brush"),
      e: () => this.choose("eraser"),
      o: () => this.choose("object"),
      s: () => this.choose("select"),
      x: () => { if (stage.selects()) mask.selection.turn(); },
      d: () => this.choose("drop"),
      k: () => this.choose("keep"),
      t: () => this.choose("part"),
      h: () => this.choose("move"),
      "[": () => view.setRadius(stage.radius / BRUSH),
      "]": () => view.setRadius(stage.radius * BRUSH),
      "+": () => view.zoomIn(),
      "=": () => view.zoomIn(),
      "-": () => view.zoomOut(),
      0: () => stage.fit(),
      1: () => stage.zoomTo(1),
      f: () => fill.fill(),
      c: () => view.setView(stage.view === "compare" ? "edit" : "compare"),
      a: () => save.decide("accept"),
      r: () => save.decide("restore"),
      u: () => { if (!byId("put-back").hidden && !byId("put-back").disabled) save.undo(); },
      v: () => view.toggleMask(),
      n: () => list.walk(1),
      p: () => list.walk(-1),
      ArrowLeft: () => this.arrow(-1, 0, event),
      ArrowRight: () => this.arrow(1, 0, event),
      ArrowUp: () => this.arrow(0, -1, event),
      ArrowDown: () => this.arrow(0, 1, event),
      Enter: () => (mask.selection.clicks.length && stage.selects()
        ? mask.selection.add() : stage.use()),
      " ": () => this.toggleBrush(),
      Escape: () => {
        if (stage.drop()) this.say("The stroke was dropped.");
        else if (!this.board.progress.running) mask.selection.drop();
      },
    };
  }

  say(text) { this.board.messages.say(text); }

  choose(tool) {
    this.board.view.chooseTool(tool);
    this.say(`Tool: ${tool}`);
  }

  toggleBrush() {
    const result = this.board.stage.toggle();
    if (result === "down") {
      this.say("The brush is down: the arrow keys draw, Space lifts it.");
    }
    if (result === "up") this.say("The brush is up.");
  }

  arrow(dx, dy, event) {
    const { stage } = this.board;
    if (stage.view === "compare") stage.setSplit(stage.split + SPLIT * dx);
    else if (stage.tool === "move") stage.move(-PAN * dx, -PAN * dy);
    else stage.step(dx, dy, event.shiftKey);
  }
}
