"use strict";
// The full-screen viewer: original, result and mask of one photo, in the pixels of the files beside
// the page. It copies nothing: a file is loaded when it is looked at, and its small preview stands
// in for it until then, and where no browser can show it.
const makeViewer = ({ step, closed, copy }) => {
  const part = (name) => document.getElementById(`viewer-${name}`);
  const dialog = document.getElementById("viewer"), area = part("area"), slide = part("slide");
  const help = part("keys");
  const images = { before: part("before"), after: part("after"), mask: part("mask") };
  const words = { before: "original", after: "result", mask: "mask" };
  const modes = [...dialog.querySelectorAll("[data-mode]")];
  // Kinds of files that hardly a browser shows, as people call them.
  const unusual = [
    [/\.(dng|cr2|cr3|nef|nrw|arw|raf|orf|rw2|pef|srw)$/i, "RAW files"],
    [/\.(heic|heif|hif)$/i, "HEIC photos"],
    [/\.tiff?$/i, "TIFF files"],
  ];
  const LARGEST = 32;
  // Size of the picture in its own pixels, place of its corner in the area and scale from one to
  // the other. `ratio` is that of the preview.
  const at = { width: 1, height: 1, x: 0, y: 0, scale: 1, fitted: true, full: false, ratio: 1 };
  let mode = "both", article = null, notes = {}, opening = 0;

  const room = () => ({ width: area.clientWidth, height: area.clientHeight });
  const fitting = () => Math.min(room().width / at.width, room().height / at.height);
  const exact = () => 1 / devicePixelRatio;

  function place() {
    const { width, height } = room();
    const w = at.width * at.scale, h = at.height * at.scale;
    // A picture that is smaller than the area stands in its middle; a larger one leaves no gap.
    at.x = w <= width ? (width - w) / 2 : Math.min(0, Math.max(width - w, at.x));
    at.y = h <= height ? (height - h) / 2 : Math.min(0, Math.max(height - h, at.y));
    for (const [name, value] of Object.entries({ x: at.x, y: at.y, w, h })) {
      area.style.setProperty(`--${name}`, `${value}px`);
    }
    area.classList.toggle("large", at.full && at.scale >= 1.99 * exact());
    part("size").value = at.full ? `${Math.round(100 * at.scale * devicePixelRatio)} %` : "";
    part("full").disabled = !at.full;
  }

  function zoom(scale, x = room().width / 2, y = room().height / 2) {
    const least = Math.min(fitting(), exact());
    const next = Math.min(Math.max(scale, least), Math.max(LARGEST * exact(), fitting()));
    at.x = x - (x - at.x) * next / at.scale;
    at.y = y - (y - at.y) * next / at.scale;
    at.scale = next;
    at.fitted = Math.abs(next - fitting()) < 1e-6;
    place();
  }

  function fit() {
    zoom(fitting());
    at.fitted = true;
    place();
  }

  // What is looked at stays where it is when the file takes the place of its preview.
  function resize(width, height, full) {
    at.scale *= at.width / width;
    Object.assign(at, { width, height, full });
    if (at.fitted) fit();
    else place();
  }

  function cut(value) {
    slide.value = value;
    area.style.setProperty("--cut", `${slide.value}%`);
  }

  function show(next) {
    mode = next;
    area.dataset.mode = mode;
    for (const button of modes) {
      button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
    }
  }

  const blink = () => show(mode === "after" ? "before" : "after");

  function mask(on) {
    images.mask.hidden = !on;
    part("masked").setAttribute("aria-pressed", String(on));
    if (on && images.mask.dataset.tried !== "yes") {
      images.mask.dataset.tried = "yes";
      loadMask();
    }
  }

  function tell() {
    part("note").textContent = Object.values(notes).filter(Boolean).join(" ");
  }

  // Why a file is not shown, and what is seen instead.
  function why(kind, address) {
    const text = words[kind];
    const [, files] = address ? unusual.find(([ending]) => ending.test(address)) ?? [] : [];
    if (files) return `This browser does not show ${files}: of the ${text} you see a preview.`;
    if (address) {
      const name = readable(address);
      return `The ${text} cannot be shown from ${name}; was it moved? You see its preview.`;
    }
    const elsewhere = kind === "before" && article.dataset.elsewhere;
    if (elsewhere) return `The original lies at ${elsewhere}: you see its preview.`;
    return `The page does not know the file of the ${text}: you see its preview.`;
  }

  function readable(address) {
    try {
      return decodeURIComponent(address);
    } catch {
      return address;
    }
  }

  function load(kind, address) {
    const now = opening, file = new Image();
    const failed = () => {
      if (now !== opening) return;
      notes[kind] = why(kind, address);
      tell();
      const { large } = article.querySelector(`.stage .${kind}`).dataset;
      if (large) images[kind].src = large;
    };
    if (!address) return failed();
    notes[kind] = `Loading the ${words[kind]} …`;
    file.decoding = "async";
    file.addEventListener("error", failed);
    file.addEventListener("load", () => {
      if (now !== opening) return;
      notes[kind] = "";
      const { naturalWidth: width, naturalHeight: height } = file;
      if (Math.abs(Math.log(width / height / at.ratio)) > 0.05) {
        notes[kind] = `The ${words[kind]} has another shape now: you see its preview.`;
      } else {
        images[kind].src = file.src;
        if (!at.full || width > at.width) resize(width, height, true);
      }
      tell();
    });
    file.src = address;
    tell();
  }

  // On the disk the layers lie beside the mask; the board has an address for them.
  const layersOf = (mask) => (mask.startsWith("file/mask?")
    ? mask.replace("file/mask?", "file/layers?") : mask.replace(/\.png$/i, ".layers.png"));

  // Saved layers, and those that every run keeps for the mask board, have the colours of the
  // preview; a mask alone is white; the preview is there at any time.
  function loadMask() {
    const saved = article.querySelector("a.saved-mask")?.getAttribute("href");
    const kinds = saved
      ? [[layersOf(saved), "of-layers"], [saved, "of-white"]]
      : [[article.querySelector(".stage .mask").dataset.kept, "of-layers"]];
    const now = opening;
    const next = () => {
      const [address, kind] = kinds.shift() ?? [];
      if (!address) return;
      const file = new Image();
      file.addEventListener("error", next);
      file.addEventListener("load", () => {
        if (now !== opening) return;
        images.mask.src = file.src;
        images.mask.className = kind;
        drawFrames(file.naturalWidth, file.naturalHeight);
      });
      file.src = address;
    };
    next();
  }

  // Where something may be left; in the preview these frames are drawn already.
  function drawFrames(width, height) {
    const boxes = JSON.parse(article.querySelector(".stage .mask").dataset.left);
    for (const [x, y, w, h] of boxes) {
      const frame = document.createElement("span");
      frame.className = "frame";
      frame.style.left = `calc(var(--x) + ${x / width} * var(--w))`;
      frame.style.top = `calc(var(--y) + ${y / height} * var(--h))`;
      frame.style.width = `calc(${w / width} * var(--w))`;
      frame.style.height = `calc(${h / height} * var(--h))`;
      images.mask.after(frame);
    }
  }

  function open(photo) {
    article = photo;
    opening += 1;
    notes = {};
    const small = (kind) => article.querySelector(`.stage .${kind}`);
    const before = small("before"), after = small("after"), over = small("mask");
    if (!before) return false;
    part("name").textContent = article.dataset.name;
    part("says").textContent = article.querySelector(".says").textContent;
    const mend = article.querySelector(".mend");
    part("mend").replaceChildren(...(mend ? [mend.cloneNode(true)] : []));
    dialog.querySelector(".viewer-links").replaceChildren(
      ...[...article.querySelectorAll(".links a")].map((link) => link.cloneNode(true)),
    );
    images.before.src = before.src;
    images.after.src = (after ?? before).src;
    images.mask.className = "";
    for (const frame of dialog.querySelectorAll(".frame")) frame.remove();
    images.mask.dataset.tried = over ? "no" : "yes";
    if (over) images.mask.src = over.src;
    else images.mask.removeAttribute("src");
    part("masked").disabled = !over;
    for (const button of [...modes, part("blink"), slide]) button.disabled = !after;
    if (!dialog.open) dialog.showModal();
    const size = [Number(before.getAttribute("width")), Number(before.getAttribute("height"))];
    Object.assign(at, { width: size[0], height: size[1], fitted: true, full: false });
    at.ratio = size[0] / size[1];
    cut(after ? article.querySelector(".stage input").value : 0);
    show(after ? (mode === "both" ? "both" : "after") : "before");
    mask(Boolean(over) && !images.mask.hidden);
    fit();
    load("before", article.querySelector("a.original")?.getAttribute("href"));
    if (after) load("after", article.querySelector("a.result")?.getAttribute("href"));
    return true;
  }

  dialog.addEventListener("close", () => {
    opening += 1;
    for (const image of Object.values(images)) image.removeAttribute("src");
    const last = article;
    article = null;
    closed(last);
  });

  // The pointer: one finger or the mouse moves the line or the picture, two fingers zoom.
  const pointers = new Map();
  let line = false;
  const spread = () => {
    const [a, b] = [...pointers.values()];
    return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, size: Math.hypot(a.x - b.x, a.y - b.y) };
  };
  const inside = (event) => {
    const box = area.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  area.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    const point = inside(event);
    pointers.set(event.pointerId, point);
    area.setPointerCapture(event.pointerId);
    const reach = event.pointerType === "mouse" ? 14 : 26;
    const there = Number(slide.value) / 100 * room().width;
    line = pointers.size === 1 && mode === "both" && Math.abs(point.x - there) < reach;
    event.preventDefault();
  });
  area.addEventListener("pointermove", (event) => {
    if (!pointers.has(event.pointerId)) return;
    const before = pointers.get(event.pointerId), point = inside(event);
    if (pointers.size === 2) {
      const was = spread();
      pointers.set(event.pointerId, point);
      const now = spread();
      at.x += now.x - was.x;
      at.y += now.y - was.y;
      zoom(at.scale * now.size / Math.max(was.size, 1), now.x, now.y);
      return;
    }
    pointers.set(event.pointerId, point);
    if (line) cut(100 * point.x / room().width);
    else {
      at.x += point.x - before.x;
      at.y += point.y - before.y;
      place();
    }
  });
  for (const end of ["pointerup", "pointercancel"]) {
    area.addEventListener(end, (event) => pointers.delete(event.pointerId));
  }
  area.addEventListener("wheel", (event) => {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 30 : 1;
    const { x, y } = inside(event);
    zoom(at.scale * Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.002)), x, y);
  }, { passive: false });
  area.addEventListener("dblclick", (event) => {
    const { x, y } = inside(event);
    if (at.fitted) zoom(exact(), x, y);
    else fit();
  });
  new ResizeObserver(() => {
    if (!dialog.open) return;
    if (at.fitted) fit();
    else place();
  }).observe(area);

  const full = () => at.full && zoom(exact());
  for (const button of modes) button.addEventListener("click", () => show(button.dataset.mode));
  slide.addEventListener("input", () => {
    cut(slide.value);
    show("both");
  });
  for (const [name, action] of Object.entries({
    blink,
    fit,
    full,
    masked: () => mask(images.mask.hidden),
    smaller: () => zoom(at.scale / 1.5),
    larger: () => zoom(at.scale * 1.5),
    earlier: () => step(-1),
    later: () => step(1),
    help: () => help.showModal(),
    close: () => dialog.close(),
  })) part(name).addEventListener("click", action);
  part("mend").addEventListener("click", (event) => {
    if (event.target.matches(".copy")) copy(event.target);
  });

  const keys = {
    b: blink,
    x: blink,
    s: () => show("both"),
    m: () => part("masked").click(),
    0: fit,
    1: full,
    "+": () => zoom(at.scale * 1.5),
    "=": () => zoom(at.scale * 1.5),
    "-": () => zoom(at.scale / 1.5),
    j: () => step(1),
    k: () => step(-1),
    "?": () => help.showModal(),
  };

  function key(event) {
    if (help.open) {
      if (event.key === "?") help.close();
      return;
    }
    const sign = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (sign && event.target !== slide && !slide.disabled) {
      cut(event.shiftKey ? (sign > 0 ? 100 : 0) : Number(slide.value) + 2 * sign);
      show("both");
    } else if (Object.hasOwn(keys, event.key)) keys[event.key]();
    else return;
    event.preventDefault();
  }

  return { open, key, dialog, photo: () => article };
};
