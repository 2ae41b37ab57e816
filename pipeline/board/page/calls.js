// The board's HTTP interface: a POST for each named call, and the addresses of its pictures.

// An error that the server reports. The message is for people; the page acts on the code only.
export class CallError extends Error {
  constructor(message, code) {
    super(message);
    this.code = code;
  }
}

const parse = async (response) => {
  const text = await response.text();
  let body;
  try { body = JSON.parse(text); } catch { body = { error: text }; }
  if (response.ok) return body;
  // Gradio passes the error's code on as its title.
  throw new CallError(body.error || `The board answered ${response.status}.`, body.title);
};

const request = async (path, options) => {
  let response;
  try {
    response = await fetch(path, { method: "POST", ...options });
  } catch {
    throw new Error("The board does not answer. Is mask-board still running?");
  }
  return parse(response);
};

export async function call(name, ...data) {
  const answer = await request(`/gradio_api/run/${name}`, {
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ data }),
  });
  return answer.data[0];
}

// Upload a file; the result stands for it in a call.
export async function upload(file, name = file.name) {
  const form = new FormData();
  form.append("files", file);
  const [path] = await request("/gradio_api/upload", { body: form });
  return { path, orig_name: name, meta: { _type: "gradio.FileData" } };
}

export const viewURL = (photo, layer, version, size, box) => {
  const query = `size=${size.join(",")}&v=${version}${box ? `&box=${box.join(",")}` : ""}`;
  return `/board/view/${photo}/${layer}?${query}`;
};

// What changes whenever a layer's picture does, so that no stale one is shown.
export const layerVersion = (photo, layer) =>
  (layer === "standing" ? photo.standing : photo.filled) ?? 0;

export const downloadURL = (photo, what) => `/board/download/${photo}/${what}`;

export const fetchPicture = (url) => new Promise((resolve, reject) => {
  const image = new Image();
  image.onload = () => resolve(image);
  image.onerror = () => reject(new Error("A picture could not be shown."));
  image.src = url;
});
