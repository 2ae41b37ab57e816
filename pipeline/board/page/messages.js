// Messages to the person: the status line, the alert, and a question.
import { byId } from "./dom.js";

export class Messages {
  constructor() {
    byId("alert-close").addEventListener("click", () => this.clear());
  }

  get said() { return byId("status").textContent; }

  say(text) { byId("status").textContent = text; }

  fail(error) {
    byId("alert-text").textContent = error.message || String(error);
    byId("alert").hidden = false;
    this.say("");
  }

  clear() { byId("alert").hidden = true; }

  // Ask whether to replace a file.
  async confirmReplacing(text) {
    const dialog = byId("ask");
    byId("ask-text").textContent = text;
    dialog.returnValue = "no";
    dialog.showModal();
    await new Promise((done) => dialog.addEventListener("close", done, { once: true }));
    return dialog.returnValue === "yes";
  }
}
