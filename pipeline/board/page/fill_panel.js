// The fill: its options, and the report on every hole.
import { call } from "./calls.js";
import { byId, decimals, element, inWords, isNumber, layerName, percent, stateOf } from "./dom.js";

const BEFORE_A_FILL = "Mark what is to go, then fill it.";
const NOTHING = "Nothing is marked, so there is nothing to fill.";

const setChip = (chip, state) => {
  chip.textContent = inWords(state);
  chip.dataset.status = state;
};

// One line of a hole's table: how visible the seam is, and how well the probe was filled.
const metricsRow = (name, { seam, probe }) => {
  const row = element("tr");
  row.append(
    element("th", name, { scope: "row" }),
    element("td", decimals(seam, 2)),
    element("td", decimals(probe?.lpips, 3)),
    element("td", probe ? `${decimals(probe.psnr, 1)} dB` : "–"),
  );
  return row;
};

const metricsTable = (hole, caption) => {
  const head = element("thead"), body = element("tbody"), titles = element("tr");
  for (const name of ["", "seam", "LPIPS", "PSNR"]) {
    titles.append(element("th", name, { scope: "col" }));
  }
  head.append(titles);
  body.append(metricsRow(layerName("result"), hole));
  for (const [method, metrics] of Object.entries(hole.compare || {})) {
    body.append(metricsRow(layerName(method), metrics));
  }
  const table = element("table");
  table.append(element("caption", caption, { class: "sr" }), head, body);
  return table;
};

// Which other photos lent something to a hole, most first, in the words of the report's page.
const lentBy = (borrowed) => {
  const shares = Object.entries(borrowed).sort(([, one], [, other]) => other - one);
  const from = shares.map(([name, share]) => `${percent(share)} from ${name}`).join(", ");
  return `${from}: ${shares.length > 1 ? "other photos" : "another photo"} of the place`;
};

const holeItem = (hole, index, count) => {
  const name = count > 1 ? `Hole ${index + 1}: ${hole.route}` : `Route: ${hole.route}`;
  const title = element("div");
  title.append(element("strong", name), ` ${percent(hole.share)} of the photo`);
  const caption = `Metrics of hole ${index + 1}: seam (1 is invisible), `
    + "and the probe's LPIPS (lower is better) and PSNR";
  const item = element("li");
  item.append(title, element("div", hole.why, { class: "quiet" }));
  if (hole.borrowed) item.append(element("div", lentBy(hole.borrowed)));
  item.append(metricsTable(hole, caption));
  return item;
};

export class FillPanel {
  constructor(board) {
    this.board = board;
    byId("fill").addEventListener("click", () => this.fill());
  }

  fill() {
    const { board } = this;
    if (!board.photo) return undefined;
    if (board.photo.is_empty) { board.messages.say(NOTHING); return undefined; }
    return board.attempt(() => board.progress.run("Filling …", async () => {
      const key = board.photo.photo;
      board.messages.say("Filling …");
      const compare = byId("classical").checked, probe = byId("probe").checked;
      const state = await call("fill", key, byId("route").value, compare, probe);
      if (board.photo.photo !== key) return;
      Object.assign(board.photo, state);
      await board.showFill();
      if (state.report.holes.length) board.view.setView("compare");
      const { status, reason } = state.report;
      board.messages.say(`Filled. ${inWords(status)}: ${reason}`);
    }));
  }

  show(report) {
    byId("report").hidden = !report;
    byId("fill-warnings").replaceChildren();
    if (!report) return;
    const { holes } = report;
    setChip(byId("status-chip"), report.status);
    byId("reason").textContent = `The new fill: ${report.reason}`;
    byId("fill-figures").textContent = report.figures || "";
    byId("holes").replaceChildren(...holes.map((hole, i) => holeItem(hole, i, holes.length)));
    const warnings = report.warnings.filter((text) => !this.board.photo.notes.includes(text));
    byId("fill-warnings").replaceChildren(...warnings.map((text) => element("li", text)));
  }

  update({ photo, disabled }) {
    byId("route").disabled = disabled;
    byId("fill").disabled = disabled || photo.is_empty;
    byId("fill").title = photo?.is_empty ? NOTHING : "Fill what is marked (F)";
    byId("fill").textContent = photo && (photo.filled || photo.before?.holes?.length)
      ? "Fill again" : "Fill";
    this.tell(photo);
  }

  // What is known of the picture that stands, or of a new fill, in words; the figures are folded.
  tell(photo) {
    const before = photo?.before; // the run's entry, if a run is open
    const fresh = photo?.report && !(before && photo.fill_is_saved) ? photo.report : null;
    byId("verdict").hidden = !photo; // its line is there before a fill too, so that nothing moves
    byId("run-status").hidden = !before && !fresh;
    byId("figures").hidden = !before && !photo?.report;
    if (before || fresh) {
      setChip(byId("run-status"), fresh ? fresh.status : stateOf(photo));
      byId("run-reason").textContent = fresh ? `The new fill: ${fresh.reason}`
        : photo.decision ? photo.reason : before.reason;
    } else byId("run-reason").textContent = BEFORE_A_FILL;
    const score = isNumber(before?.score) ? `expected error ${before.score.toFixed(2)}` : "";
    const figures = [before?.figures, score].filter(Boolean).join("; ");
    byId("run-figures").hidden = !figures;
    byId("run-figures").textContent = `The run: ${figures}`;
  }
}
