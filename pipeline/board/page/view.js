// The controls above the photo: the tool, the brush's size, the zoom, and mask or comparison.
import { byId } from "./dom.js";

const SMALLEST = 0.5; // radius of the smallest brush, in the photo's pixels
const ZOOM = 1.4;

export class View {
  constructor(board) {
    this.board = board;
    this.root = board.root;
    const { stage } = board;
    stage.onview = (scale) => {
      byId("zoom-value").textContent = `${Math.round(100 * scale)} %`;
    };
    byId("zoom-in").addEventListener("click", () => this.zoomIn());
    byId("zoom-out").addEventListener("click", () => this.zoomOut());
    byId("zoom-one").addEventListener("click", () => stage.zoomTo(1));
    byId("zoom-fit").addEventListener("click", () => stage.fit());
    byId("show-mask").addEventListener("click", () => this.toggleMask());
    byId("size").addEventListener("input", (event) => {
      stage.radius = SMALLEST * (this.largest() / SMALLEST) ** (event.target.value / 100);
      this.showRadius();
    });
    for (const input of this.root.querySelectorAll('input[name="mb-tool"]')) {
      input.addEventListener("click", () => this.chooseTool(input.value));
    }
    for (const input of this.root.querySelectorAll('input[name="mb-view"]')) {
      input.addEventListener("change", () => this.setView(input.value));
    }
  }

  input(name, value) {
    return this.root.querySelector(`input[name="mb-${name}"][value="${value}"]`);
  }

  zoomIn() { this.board.stage.zoom(ZOOM); }

  zoomOut() { this.board.stage.zoom(1 / ZOOM); }

  chooseTool(name) {
    this.setTool(name);
    this.setView("edit");
  }

  setTool(name) {
    const { stage } = this.board;
    stage.tool = name;
    this.input("tool", name).checked = true;
    byId("stage").dataset.tool = name;
    this.board.update();
    stage.draw();
  }

  setView(name) {
    const { stage } = this.board;
    const view = name === "compare" && !stage.canCompare() ? "edit" : name;
    const comparing = view === "compare";
    stage.drop();
    stage.view = view;
    this.input("view", view).checked = true;
    byId("stage").dataset.view = view;
    this.board.update();
    byId("tools").classList.toggle("comparing", comparing);
    byId("compare").hidden = byId("left-name").hidden = byId("right-name").hidden = !comparing;
    byId("figure").hidden = !comparing || byId("figure").dataset.filled !== "yes";
    stage.draw();
    stage.settle();
  }

  // The mask's colours: on the photo, and when comparing, on the original.
  toggleMask() {
    const { stage } = this.board;
    stage.masked = !stage.masked;
    this.board.update();
    stage.draw();
  }

  largest() {
    const { size } = this.board.stage;
    return size ? Math.max(8, Math.max(...size) / 8) : 200;
  }

  // Equal steps of the slider are equal ratios of the radius. The brush is from one pixel to a
  // quarter of the photo wide.
  setRadius(radius) {
    const { stage } = this.board;
    const largest = this.largest();
    stage.radius = Math.min(largest, Math.max(SMALLEST, radius));
    const share = Math.log(stage.radius / SMALLEST) / Math.log(largest / SMALLEST);
    byId("size").value = Math.round(100 * share);
    this.showRadius();
  }

  showRadius() {
    const { stage } = this.board;
    const text = `${Math.max(1, Math.round(2 * stage.radius))} px`;
    byId("size-value").textContent = text;
    byId("size").setAttribute("aria-valuetext", text);
    stage.draw();
  }

  update({ disabled }) {
    byId("size").disabled = byId("show-mask").disabled = disabled;
    byId("show-mask").textContent = this.board.stage.masked ? "Hide mask" : "Show mask";
    this.input("view", "compare").disabled = !this.board.stage.canCompare();
  }
}
