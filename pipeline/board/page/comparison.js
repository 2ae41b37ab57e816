// The original beside its fills: the line between two layers, and a row with the largest hole.
import { fetchPicture, layerVersion, viewURL } from "./calls.js";
import { byId, element, layerName } from "./dom.js";

const LARGEST = 480; // longest side of a picture in the row, in pixels

// The hole's box with some of its surroundings, inside the photo.
const boxAround = ([x, y, w, h], [width, height]) => {
  const margin = Math.max(w, h) * 0.6;
  const boxWidth = Math.min(width, Math.max(w + margin, 240));
  const boxHeight = Math.min(height, Math.max(h + margin, 160));
  const left = Math.min(width - boxWidth, Math.max(0, x + w / 2 - boxWidth / 2));
  const top = Math.min(height - boxHeight, Math.max(0, y + h / 2 - boxHeight / 2));
  return [left, top, boxWidth, boxHeight].map(Math.floor);
};

export class Comparison {
  constructor(board) {
    this.board = board;
    const { stage } = board;
    stage.onsplit = (value) => { byId("split").value = Math.round(100 * value); };
    byId("split").addEventListener("input", (event) => stage.setSplit(event.target.value / 100));
    byId("right").addEventListener("change", (event) => this.setRight(event.target.value));
  }

  // Show the layers of the photo's last fill, and the result that stands in the output folder;
  // `keep` the chosen one.
  async show(shown, { keep = false } = {}) {
    const { stage } = this.board, { photo, report, compared, standing } = shown;
    const chosen = keep ? stage.right : "result";
    const fills = report?.holes.length ? ["result", ...compared] : [];
    const pictures = {};
    await Promise.all([...fills, ...(standing ? ["standing"] : [])].map(async (layer) => {
      const url = viewURL(photo, layer, layerVersion(shown, layer), stage.preview);
      // A file that is no picture of this size may stand there.
      const picture = fetchPicture(url).catch((error) => {
        if (layer !== "standing") throw error;
      });
      pictures[layer] = await picture;
    }));
    if (this.board.photo?.photo !== photo) return;
    const layers = [...fills, "standing"].filter((layer) => pictures[layer]);
    const options = layers.map((layer) => element("option", layerName(layer), { value: layer }));
    byId("right").replaceChildren(...options);
    stage.setLayers(Object.fromEntries(layers.map((layer) => [layer, pictures[layer]])));
    this.showRow(report?.holes[0], fills);
    if (layers.length) this.setRight(layers.includes(chosen) ? chosen : layers[0]);
    else this.board.view.setView("edit");
  }

  // Figure 4 of the paper: the largest hole with some of its surroundings, once for each layer.
  showRow(hole, layers) {
    const row = byId("figure-row");
    row.replaceChildren();
    byId("figure").dataset.filled = layers.length > 1 ? "yes" : "";
    if (layers.length < 2) return;
    const box = boxAround(hole.box, this.board.stage.size);
    for (const layer of ["photo", ...layers]) row.append(this.button(layer, box));
  }

  button(layer, box) {
    const { photo, filled } = this.board.photo;
    const share = Math.min(1, LARGEST / Math.max(...box.slice(2)));
    const size = box.slice(2).map((n) => Math.max(1, Math.round(n * share)));
    const pair = element("span", "", { class: "pair" });
    for (const name of layer === "photo" ? ["photo", "hole"] : [layer]) {
      pair.append(element("img", "", { alt: "", src: viewURL(photo, name, filled, size, box) }));
    }
    const button = element("button", "", { type: "button", "data-layer": layer });
    button.append(pair, element("span", layer === "photo" ? "Original, with its hole"
      : layerName(layer)));
    button.addEventListener("click", () => {
      this.board.view.setView("compare");
      this.setRight(layer);
    });
    return button;
  }

  setRight(layer) {
    const { stage } = this.board;
    stage.right = layer;
    if (layer !== "photo") byId("right").value = layer;
    for (const button of byId("figure-row").children) {
      button.setAttribute("aria-pressed", String(button.dataset.layer === layer));
    }
    byId("right-name").textContent = layerName(layer);
    byId("left-name").textContent = layerName("photo");
    stage.draw();
    stage.settle();
  }
}
