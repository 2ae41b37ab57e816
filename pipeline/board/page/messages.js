// Messages to the person: the status line, the alert, and a question.
import { answered, byId } from "./dom.js";

export class Messages {
  constructor() {
    byId("alert-close").addEventListener("click", () => this.clear());
  }

  get said() { return byId("status").textContent; }

  // Several texts are said one behind the other; empty ones are left out.
  say(...texts) { byId("status").textContent = texts.filter(Boolean).join(" "); }

  fail(error) {
    byId("alert-text").textContent = error.message || String(error);
    byId("alert").hidden = false;
    this.say("");
  }

  clear() { byId("alert").hidden = true; }

  // Ask whether to replace a file.
  async confirmReplacing(text) {
    byId("ask-text").textContent = text;
    return (await answered(byId("ask"))) === "yes";
  }
}
