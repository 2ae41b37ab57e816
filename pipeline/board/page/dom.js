// Find and make elements, and format numbers.

export const byId = (name) => document.getElementById(`mb-${name}`);

// Text stays text: file names and reasons may hold markup.
export const element = (name, text = "", attributes = {}) => {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
};

// Show a dialog; returns the value of the button that closed it, or "" after Escape.
export const answered = async (dialog) => {
  dialog.returnValue = "";
  dialog.showModal();
  await new Promise((done) => dialog.addEventListener("close", done, { once: true }));
  return dialog.returnValue;
};

export const percent = (share) => `${(100 * share).toFixed(share < 0.0095 ? 2 : 1)} %`;

export const isNumber = (value) => value !== null && value !== undefined;

// A photo's state in words: what a person decided, else what the run says.
const STATES = {
  ok: "Looks fine", review: "Check this one", failed: "Failed", unchanged: "Nothing found",
  accepted: "Accepted", mended: "Mended", restored: "Original restored",
  "put back": "Put back", reviewed: "Reviewed",
};

export const stateOf = ({ status, reviewed, decision }) =>
  decision || (reviewed ? "reviewed" : status);

export const inWords = (state) => STATES[state] || state;

// A text as it is compared in a search: without case and accents.
export const folded = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

export const decimals = (value, digits) => (isNumber(value) ? value.toFixed(digits) : "–");

// Names of the layers that can be compared.
const LAYERS = {
  photo: "Original", result: "Our fill", "navier-stokes": "Navier–Stokes", telea: "Telea",
  standing: "Present result",
};

export const layerName = (layer) => LAYERS[layer] || layer;
