// The board's HTTP interface: one POST for a named call, an error in the server's own words.

// An error that the server names: the message is for people, the code for this page.
export class CallError extends Error {
  constructor(message, code) {
    super(message);
    this.code = code;
  }
}

const answer = async (response) => {
  const text = await response.text();
  let body;
  try { body = JSON.parse(text); } catch { body = { error: text }; }
  if (!response.ok) throw new CallError(body.error || `The board answered ${response.status}.`, body.title);
  return body;
};

const reached = async (request) => {
  try { return await request; } catch { throw new Error("The board does not answer. Is mask-board still running?"); }
};

export async function call(name, ...data) {
  const request = fetch(`/gradio_api/run/${name}`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ data }) });
  return (await answer(await reached(request))).data[0];
}

// A file to the server; what comes back stands for it in a call.
export async function send(file) {
  const form = new FormData();
  form.append("files", file);
  const [path] = await answer(await reached(fetch("/gradio_api/upload", { method: "POST", body: form })));
  return { path, orig_name: file.name, meta: { _type: "gradio.FileData" } };
}

export const viewURL = (photo, layer, version, size, box) =>
  `/board/view/${photo}/${layer}?size=${size.join(",")}&v=${version}${box ? `&box=${box.join(",")}` : ""}`;

export const picture = (url) => new Promise((done, failed) => {
  const image = new Image();
  image.onload = () => done(image);
  image.onerror = () => failed(new Error("A picture could not be shown."));
  image.src = url;
});
