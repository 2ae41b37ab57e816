// Files and folders that are dropped on the page: a folder's photos, with those of its subfolders.

// By name, because a browser knows the type of few photos.
const PHOTO = /\.(avif|bmp|cr2|cr3|dng|gif|hei[cf]|hif|jfif|jp2|jpe?g|nef|orf|pef|png|raf|rw2|arw|tiff?|webp)$/i;
const MOST = 5000; // photos of one drop

const fileOf = (entry) => new Promise((done, failed) => { entry.file(done, failed); });

// A folder gives its entries in portions, and an empty one at the end.
const entriesOf = async (folder) => {
  const reader = folder.createReader(), all = [];
  for (;;) {
    const some = await new Promise((done, failed) => { reader.readEntries(done, failed); });
    if (!some.length) return all.sort((a, b) => (a.name < b.name ? -1 : 1));
    all.push(...some);
  }
};

const collect = async (entry, path, found) => {
  if (entry.name.startsWith(".") || found.length >= MOST) return;
  if (!entry.isDirectory) {
    if (!path || PHOTO.test(entry.name)) {
      found.push({ name: `${path}${entry.name}`, file: await fileOf(entry) });
    }
    return;
  }
  for (const each of await entriesOf(entry)) await collect(each, `${path}${entry.name}/`, found);
};

// What was dropped, as [{name, file}]; names of files in folders begin with the folder's.
export async function dropped(transfer) {
  // The list of items is empty as soon as the event is over.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const files = [...transfer.files];
  if (!entries.length) return files.map((file) => ({ name: file.name, file }));
  const found = [];
  for (const entry of entries) await collect(entry, "", found);
  return found;
}
