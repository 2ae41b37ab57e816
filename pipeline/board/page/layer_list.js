// The legend of the mask's layers: why pixels go, the share of each, and a switch to take it away.
import { call } from "./calls.js";
import { byId, element, percent } from "./dom.js";

const share = ({ share: goes, taken }) => (
  goes && taken ? `${percent(goes)}, ${percent(taken)} taken away`
    : goes ? percent(goes) : `${percent(taken)} taken away`
);

export class LayerList {
  constructor(board) {
    this.board = board;
    this.rows = {}; // name -> its row, checkbox and share
  }

  // Make a row for every layer that there may be, in the server's order and colours.
  begin(colours) {
    for (const [name, colour] of Object.entries(colours)) {
      const row = element("label", "", {
        class: "check layer", title: "Clear it, and what it covers stays in the photo",
      });
      const input = element("input", "", { type: "checkbox", "data-layer": name });
      const swatch = element("span", "", { class: "swatch", "aria-hidden": "true" });
      swatch.style.background = colour;
      const amount = element("output");
      row.append(input, swatch, element("span", name), amount);
      input.addEventListener("change", () => this.set(name, input.checked));
      this.rows[name] = { row, input, amount };
      byId("layer-rows").append(row);
    }
  }

  async set(name, given) {
    await this.board.change(async (key) => {
      const state = await call("layer", key, name, given);
      this.board.messages.say(
        given ? `Given back: ${name}.` : `Taken away: ${name}. It stays in the photo.`,
      );
      return state;
    });
    this.board.update(); // after an error the switch shows the server's state again
  }

  update({ photo, disabled }) {
    const layers = photo?.layers || [];
    byId("layers").hidden = !layers.length;
    for (const [name, { row, input, amount }] of Object.entries(this.rows)) {
      const layer = layers.find((each) => each.name === name);
      row.hidden = !layer;
      input.disabled = disabled;
      if (!layer) continue;
      // Of a part that was taken away, the switch gives back the rest.
      input.indeterminate = layer.share > 0 && layer.taken > 0;
      input.checked = layer.share > 0 && !layer.taken;
      amount.textContent = share(layer);
    }
  }
}
