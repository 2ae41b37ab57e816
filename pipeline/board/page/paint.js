// Paint the stage: the photo with its mask and the cursor, or two layers with a line between them.

const TINT = 0.55; // opacity of the mask
const DRAFT_TINT = 0.6; // opacity of what is selected
const CLICK = 8; // radius of a click's mark, in pixels of the screen
const HANDLE = 14; // radius of the handle on the line, in pixels of the screen

export function paint(stage) {
  const { canvas, context: c } = stage;
  const ratio = window.devicePixelRatio || 1;
  c.setTransform(1, 0, 0, 1, 0, 0);
  c.clearRect(0, 0, canvas.width, canvas.height);
  if (!stage.size) return;
  const scale = ratio * stage.scale;
  c.setTransform(scale, 0, 0, scale, ratio * stage.left, ratio * stage.top);
  c.imageSmoothingEnabled = scale < 3;
  c.imageSmoothingQuality = "high";
  const [width] = stage.size;
  if (stage.view === "compare" && stage.layers[stage.right]) {
    const x = width * stage.split;
    paintLayer(stage, "photo", 0, x);
    if (stage.masked) paintMask(stage, x);
    paintLayer(stage, stage.right, x, width);
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    paintLine(stage, x);
    return;
  }
  paintLayer(stage, "photo", 0, width);
  if (stage.masked) paintMask(stage, width);
  if (stage.draft?.picture) {
    c.globalAlpha = DRAFT_TINT;
    c.drawImage(stage.draft.picture, 0, 0, ...stage.size);
    c.globalAlpha = 1;
  }
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  for (const click of stage.draft?.clicks || []) paintClick(stage, click);
  const point = stage.cursor || stage.hover;
  if (point && stage.tool !== "move") paintCursor(stage, point);
}

// The columns from `from` to `to` of a layer, with its details over it.
function paintLayer({ context: c, size, layers, details }, name, from, to) {
  c.save();
  c.beginPath();
  c.rect(from, 0, to - from, size[1]);
  c.clip();
  c.drawImage(layers[name], 0, 0, ...size);
  const detail = details[name];
  if (detail) c.drawImage(detail.image, ...detail.box);
  c.restore();
}

// The mask's colours, up to the column `to`.
function paintMask({ context: c, size, mask }, to) {
  c.save();
  c.beginPath();
  c.rect(0, 0, to, size[1]);
  c.clip();
  c.globalAlpha = TINT;
  c.drawImage(mask, 0, 0, ...size);
  c.restore();
}

// The line between two layers, with a handle in its middle.
function paintLine(stage, column) {
  const { context: c } = stage;
  const [x, lowest] = stage.toScreen([column, stage.size[1]]);
  const top = Math.max(0, stage.top), bottom = Math.min(stage.height, lowest);
  c.fillStyle = "#000";
  c.fillRect(x - 2, top, 4, bottom - top);
  c.fillStyle = "#fff";
  c.fillRect(x - 1, top, 2, bottom - top);
  const y = (top + bottom) / 2;
  c.beginPath();
  c.arc(x, y, HANDLE, 0, 7);
  c.fill();
  c.strokeStyle = "#000";
  c.stroke();
  c.beginPath();
  for (const side of [-1, 1]) {
    c.moveTo(x + 4 * side, y - 5);
    c.lineTo(x + 9 * side, y);
    c.lineTo(x + 4 * side, y + 5);
  }
  c.stroke();
}

// A click's mark: a plus on what is selected, a minus on what is not.
function paintClick(stage, [x, y, wanted]) {
  const { context: c } = stage;
  const at = stage.toScreen([x, y]);
  c.beginPath();
  c.arc(...at, CLICK, 0, 7);
  c.fillStyle = wanted ? "#fff" : "#000";
  c.fill();
  c.strokeStyle = wanted ? "#000" : "#fff";
  c.lineWidth = 1.5;
  c.moveTo(at[0] - CLICK / 2, at[1]);
  c.lineTo(at[0] + CLICK / 2, at[1]);
  if (wanted) {
    c.moveTo(at[0], at[1] - CLICK / 2);
    c.lineTo(at[0], at[1] + CLICK / 2);
  }
  c.stroke();
}

// The brush's circle, and a cross for the keyboard's cursor and for the tools without a size.
function paintCursor(stage, point) {
  const { context: c } = stage;
  const [x, y] = stage.toScreen(point);
  for (const [color, width] of [["#000", 3], ["#fff", 1.5]]) {
    c.strokeStyle = color;
    c.lineWidth = width;
    c.beginPath();
    if (stage.draws()) c.arc(x, y, Math.max(2, stage.radius * stage.scale), 0, 7);
    if (!stage.draws() || stage.cursor) {
      c.moveTo(x - 9, y);
      c.lineTo(x + 9, y);
      c.moveTo(x, y - 9);
      c.lineTo(x, y + 9);
    }
    if (stage.tool === "eraser") c.setLineDash([5, 4]);
    c.stroke();
    c.setLineDash([]);
  }
}
