"use strict";
// The page already contains every photo and object; this script switches them and saves the picks.
// No text ever becomes HTML here.
(() => {
  const one = (query, from = document) => from.querySelector(query);
  const all = (query, from = document) => [...from.querySelectorAll(query)];
  const list = one("#photos"), keys = one("#keys"), undo = one("#undo"), counter = one("#count");
  const photos = all(".photo");
  const total = { goes: all(".objects .goes").length, stays: all(".objects .stays").length };
  const steps = [];
  let changed = 0, unsaved = false, typed = "", typedAt = null, waiting = 0;

  // What the run would do without picks.
  const was = new Map(all(".objects button").map((button) => [button, goes(button)]));

  function goes(button) {
    return button.classList.contains("goes");
  }

  function set(button, gone) {
    if (goes(button) === gone) return;
    const photo = button.closest(".photo"), number = button.dataset.number;
    for (const part of [button, ...all(`svg [data-number="${number}"]`, photo)]) {
      part.classList.toggle("goes", gone);
      part.classList.toggle("stays", !gone);
    }
    button.setAttribute("aria-pressed", String(gone));
    one("i", button).textContent = gone ? "goes" : "stays";
    const back = was.get(button) === gone;
    one("span", button).textContent = back ? button.dataset.why : `picked to ${gone ? "go" : "stay"}`;
    total.goes += gone ? 1 : -1;
    total.stays += gone ? -1 : 1;
    changed += back ? -1 : 1;
  }

  function show() {
    counter.value = `${total.goes} go · ${total.stays} stay${changed ? ` · ${changed} changed` : ""}`;
    undo.disabled = !steps.length;
  }

  function change(pairs) {
    const real = pairs.filter(([button, gone]) => goes(button) !== gone);
    if (!real.length) return;
    steps.push(real.map(([button]) => button));
    for (const [button, gone] of real) set(button, gone);
    unsaved = true;
    show();
  }

  function buttonOf(photo, number) {
    return one(`.objects [data-number="${number}"]`, photo);
  }

  function flip(button) {
    if (button) change([[button, !goes(button)]]);
  }

  function setAll(photo, gone) {
    change(all(".objects button", photo).map((button) => [button, gone]));
  }

  function takeBack() {
    finish();
    const step = steps.pop();
    if (!step) return;
    for (const button of step) set(button, !goes(button));
    unsaved = true;
    show();
    move(step[0].closest(".photo"));
  }

  function move(photo) {
    photo.focus({ preventScroll: true });
    photo.scrollIntoView({ block: "nearest" });
  }

  function go(step) {
    if (!photos.length) return;
    const at = photos.indexOf(document.activeElement.closest(".photo"));
    const next = at < 0 ? (step > 0 ? 0 : photos.length - 1) : at + step;
    const photo = photos[Math.min(Math.max(next, 0), photos.length - 1)];
    photo.focus({ preventScroll: true });
    photo.scrollIntoView({ block: "start" });
  }

  // Numbers of two digits are typed one after the other; whatever else is done ends the number.
  function digit(key) {
    const photo = document.activeElement.closest(".photo");
    if (photo !== typedAt) finish();
    if (!photo) return;
    typedAt = photo;
    typed += key;
    const numbers = all(".objects button", photo).map((button) => button.dataset.number);
    const longer = numbers.some((number) => number.length > typed.length && number.startsWith(typed));
    clearTimeout(waiting);
    if (longer) waiting = setTimeout(finish, 700);
    else finish();
  }

  function finish() {
    clearTimeout(waiting);
    if (typed) flip(buttonOf(typedAt, Number(typed)));
    typed = "";
  }

  // One line of JSON with spaces.
  function spaced(value) {
    if (Array.isArray(value)) return `[${value.map(spaced).join(", ")}]`;
    if (value === null || typeof value !== "object") return JSON.stringify(value);
    const parts = Object.entries(value).map(([key, inner]) => `${spaced(key)}: ${spaced(inner)}`);
    return `{${parts.join(", ")}}`;
  }

  // One object a line, so that people can read and compare the file.
  function picks() {
    const { picks_version: version, settings } = JSON.parse(document.body.dataset.picks);
    const line = (button) => spaced({
      number: Number(button.dataset.number),
      class: button.dataset.class,
      box: JSON.parse(button.dataset.box),
      removed: goes(button),
    });
    const photo = (element) => {
      const objects = all(".objects button", element).map((button) => `   ${line(button)}`).join(",\n");
      const name = JSON.stringify(JSON.parse(element.dataset.name));
      return `  {"name": ${name}, "size": ${element.dataset.size}, "objects": [\n${objects}\n  ]}`;
    };
    const inner = photos.map(photo).join(",\n");
    return `{\n "picks_version": ${version},\n "settings": ${spaced(settings)},\n`
      + ` "photos": [\n${inner}\n ]\n}\n`;
  }

  function save() {
    finish();
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([picks()], { type: "application/json" }));
    link.download = "picks.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    unsaved = false;
  }

  list.addEventListener("click", (event) => {
    const photo = event.target.closest(".photo");
    if (!photo) return;
    finish();
    const button = event.target.closest("button"), shape = event.target.closest(".object");
    if (shape) flip(buttonOf(photo, shape.dataset.number));
    else if (button?.dataset.all) setAll(photo, button.dataset.all === "true");
    else if (button) flip(button);
    photo.focus({ preventScroll: true });
  });
  undo.addEventListener("click", takeBack);
  one("#save").addEventListener("click", save);
  one("#help").addEventListener("click", () => keys.showModal());
  window.addEventListener("beforeunload", (event) => {
    if (unsaved) event.preventDefault();
  });

  const here = (action) => () => {
    const photo = document.activeElement.closest(".photo");
    if (photo) action(photo);
  };
  const actions = {
    ArrowDown: () => go(1),
    ArrowRight: () => go(1),
    j: () => go(1),
    ArrowUp: () => go(-1),
    ArrowLeft: () => go(-1),
    k: () => go(-1),
    a: here((photo) => setAll(photo, true)),
    s: here((photo) => setAll(photo, false)),
    u: takeBack,
    w: save,
    "?": () => keys.showModal(),
  };
  document.addEventListener("keydown", (event) => {
    if (keys.open || event.altKey) return;
    if (event.ctrlKey || event.metaKey) {
      if (event.key !== "z" || event.shiftKey) return;
      takeBack();
    } else if (/^[0-9]$/.test(event.key)) digit(event.key);
    else if (Object.hasOwn(actions, event.key)) {
      finish();
      actions[event.key]();
    }
    else return;
    event.preventDefault();
  });
  show();
})();
