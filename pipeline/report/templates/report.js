// The page already contains everything. The markup of a photo, which the page's writer escaped,
// waits as the text of a <noscript>, so that thousands open at once. This script draws the photos
// that are near the window, and moves, hides and highlights them. No other text becomes HTML here.
(() => {
  const one = (query, from = document) => from.querySelector(query);
  const all = (query, from = document) => [...from.querySelectorAll(query)];
  const root = document.documentElement, list = one("#photos");
  const viewer = makeViewer({
    step: (by) => go(by, true),
    // The browser gives the focus back to where it was; the photo last looked at has it now.
    closed: (element) => element.focus({ preventScroll: true }),
    copy,
  });
  const search = one("#search"), order = one("#order"), keys = one("#keys");
  const filters = { classes: one("#class"), routes: one("#route") };
  const statuses = all(".tally button"), none = one("#none");
  const photos = all(".photo").map((element, place) => {
    const d = element.dataset;
    return {
      element,
      place,
      status: d.status,
      name: d.name,
      search: plain(d.name),
      classes: d.classes.split(" "),
      routes: d.routes.split(" "),
    };
  });
  let shown = photos, current = null;

  // Without case and accents: `cafe` finds `Café`, in one character or two.
  function plain(text) {
    const letters = { ß: "ss", æ: "ae", œ: "oe", ø: "o", đ: "d", ł: "l", ı: "i" };
    return text.normalize("NFKD").replace(/\p{M}+/gu, "").toLowerCase()
      .replace(/[ßæœøđłı]/g, (letter) => letters[letter]);
  }

  // Where the mask board serves this page, links lead through it: to the photos' own files, which
  // may lie anywhere, and to the photo on the board instead of the command.
  const byBoard = /^https?:$/.test(location.protocol) && location.pathname === "/report/report.html";

  function leadToBoard(element) {
    const photo = `?photo=${encodeURIComponent(element.dataset.name)}`;
    for (const [kind, name] of [["original", "original"], ["result", "result"], ["saved-mask", "mask"]]) {
      const link = one(`a.${kind}`, element);
      if (link) link.href = `file/${name}${photo}`;
    }
    const command = one(".mend", element);
    if (!command) return;
    const link = document.createElement("a");
    link.href = `/${photo}`;
    link.textContent = "Mend it at the board";
    command.replaceChildren(link);
  }

  // A photo is drawn when it comes near the window, and put away with all its state when it is far
  // away.
  const away = new Map();

  function markupOf(element) {
    const template = document.createElement("template");
    template.innerHTML = one("noscript", element).textContent;
    return template.content;
  }

  function draw(element) {
    if (element.classList.contains("drawn")) return;
    element.append(away.get(element) ?? markupOf(element));
    away.delete(element);
    element.classList.add("drawn");
    if (byBoard) leadToBoard(element);
    for (const range of all(".stage input", element)) cut(range);
    setMask(element, element.classList.contains("masked"));
    // The result is shown twice: its thumbnail reuses the large picture, so the page holds it once.
    const small = one(".compare [data-kind=after] img", element);
    if (small && !small.src) small.src = one(".stage .after", element).src;
  }

  function putAway(element) {
    const isUsed = element.contains(document.activeElement) || element === viewer.photo();
    if (isUsed || !element.classList.contains("drawn")) return;
    const fragment = document.createDocumentFragment();
    fragment.append(...[...element.children].slice(1));
    away.set(element, fragment);
    element.classList.remove("drawn");
  }

  const near = new IntersectionObserver((changes) => {
    for (const { target, isIntersecting } of changes) (isIntersecting ? draw : putAway)(target);
  }, { rootMargin: "1200px 0px" });

  function number(photo, metric) {
    const text = photo.element.dataset[metric];
    return text === "" ? -Infinity : Number(text);
  }

  function filter() {
    const pressed = statuses.filter((b) => b.getAttribute("aria-pressed") === "true");
    const wanted = new Set(pressed.map((b) => b.dataset.status));
    const words = plain(search.value).split(" ").filter(Boolean);
    const chosen = Object.entries(filters).filter(([, select]) => select && select.value);
    const fits = (photo) => (!wanted.size || wanted.has(photo.status))
      && words.every((w) => photo.search.includes(w))
      && chosen.every(([key, select]) => photo[key].includes(select.value));
    shown = [];
    for (const photo of photos) {
      const fit = fits(photo);
      if (photo.element.hidden === fit) photo.element.hidden = !fit;
      if (fit) shown.push(photo);
    }
    none.hidden = shown.length > 0 || photos.length === 0;
    const plural = photos.length === 1 ? "photo" : "photos";
    one("#shown").value = shown.length === photos.length
      ? `${photos.length} ${plural}` : `${shown.length} of ${photos.length}`;
  }

  const byName = new Intl.Collator(undefined, { numeric: true });

  function sort() {
    const by = order.value;
    const compare = by === "worst" ? (a, b) => a.place - b.place
      : by === "name" ? (a, b) => byName.compare(a.name, b.name) || a.place - b.place
      : (a, b) => (number(b, by) - number(a, by)) || a.place - b.place;
    photos.sort(compare);
    list.prepend(...photos.map((photo) => photo.element));
    filter();
  }

  function choose(photo) {
    if (current) current.element.classList.remove("current");
    current = photo;
    if (photo) photo.element.classList.add("current");
  }

  function go(step, inViewer = false) {
    if (!shown.length) return;
    const at = shown.indexOf(current);
    const last = shown.length - 1;
    const next = shown[at < 0 ? (step > 0 ? 0 : last) : Math.min(Math.max(at + step, 0), last)];
    choose(next);
    draw(next.element);
    if (!inViewer) next.element.focus({ preventScroll: true });
    next.element.scrollIntoView({ block: "start" });
    if (inViewer && !viewer.open(next.element) && next !== shown[step > 0 ? last : 0]) go(step, true);
  }

  function lookCloser(element) {
    choose(photos.find((photo) => photo.element === element));
    draw(element);
    viewer.open(element);
  }

  function copy(button) {
    const command = one("code", button.parentElement);
    const done = (text) => {
      button.textContent = text;
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    };
    // Where the browser refuses the clipboard, the text is marked, ready to be copied by keys.
    const mark = () => {
      getSelection().selectAllChildren(command);
      done(document.execCommand("copy") ? "Copied" : "Marked");
    };
    if (navigator.clipboard) {
      navigator.clipboard.writeText(command.textContent).then(() => done("Copied"), mark);
    } else mark();
  }

  function slide(photo, to) {
    const range = one("input[type=range]", photo.element);
    if (!range) return;
    range.value = to(Number(range.value));
    range.dispatchEvent(new Event("input", { bubbles: true }));
  }

  function show(button) {
    const photo = button.closest(".photo"), after = one(".stage .after", photo);
    const ours = one(".compare [data-kind=after]", photo);
    if (!ours.dataset.src) ours.dataset.src = after.src;
    after.src = button === ours ? ours.dataset.src : one("img", button).src;
    one(".tag.right", photo).textContent = button.dataset.label;
    for (const other of all(".compare button", photo)) {
      other.setAttribute("aria-pressed", String(other === button));
    }
  }

  function setMask(element, on) {
    element.classList.toggle("masked", on);
    const button = one(".mask-switch", element);
    if (!button) return;
    button.setAttribute("aria-pressed", String(on));
    button.textContent = on ? "Hide mask" : "Show mask";
  }

  function flip(button) {
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(on));
    return on;
  }

  function turn() {
    const theme = root.dataset.theme;
    const dark = theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    remember("remove-objects-theme", root.dataset.theme);
  }

  // A browser may refuse storage to pages from the disk: the theme is then not remembered.
  function remember(key, value) {
    try {
      if (value === undefined) return localStorage.getItem(key);
      localStorage.setItem(key, value);
    } catch { /* the theme is not remembered */ }
    return null;
  }

  const theme = remember("remove-objects-theme");
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;

  function cut(range) {
    range.parentElement.style.setProperty("--cut", `${range.value}%`);
  }

  for (const button of statuses) {
    button.addEventListener("click", () => {
      flip(button);
      filter();
    });
  }
  search.addEventListener("input", filter);
  for (const select of Object.values(filters)) select?.addEventListener("change", filter);
  order.addEventListener("change", sort);
  one("#view").addEventListener("click", (e) => {
    root.classList.toggle("sheet", flip(e.currentTarget));
    current?.element.scrollIntoView({ block: "center" });
  });
  one("#masks").addEventListener("click", (e) => {
    const on = flip(e.currentTarget);
    for (const photo of photos) setMask(photo.element, on);
  });
  one("#theme").addEventListener("click", turn);
  one("#help").addEventListener("click", () => keys.showModal());
  one("#clear").addEventListener("click", () => {
    search.value = "";
    for (const select of Object.values(filters)) if (select) select.value = "";
    for (const button of statuses) button.setAttribute("aria-pressed", "false");
    filter();
    search.focus();
  });

  list.addEventListener("input", (event) => {
    if (event.target.type === "range") cut(event.target);
  });
  list.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    const picture = root.classList.contains("sheet") && event.target.closest(".stage");
    if (picture) lookCloser(picture.closest(".photo"));
    if (!button) return;
    if (button.matches(".mask-switch")) {
      setMask(button.closest(".photo"), button.getAttribute("aria-pressed") !== "true");
    } else if (button.matches(".compare button")) show(button);
    else if (button.matches(".closer")) lookCloser(button.closest(".photo"));
    else if (button.matches(".copy")) copy(button);
  });
  list.addEventListener("focusin", (event) => {
    const element = event.target.closest(".photo");
    if (element && element !== current?.element) {
      choose(photos.find((photo) => photo.element === element));
    }
  });

  const actions = {
    j: () => go(1),
    k: () => go(-1),
    m: () => current && setMask(current.element, !current.element.classList.contains("masked")),
    M: () => one("#masks").click(),
    x: () => current && slide(current, (value) => (value > 50 ? 0 : 100)),
    c: () => {
      const buttons = current ? all(".compare button", current.element) : [];
      const at = buttons.findIndex((button) => button.getAttribute("aria-pressed") === "true");
      if (buttons.length) show(buttons[(at + 1) % buttons.length]);
    },
    o: () => {
      const figures = current && one(".figures", current.element);
      if (figures) figures.open = !figures.open;
    },
    f: () => current && lookCloser(current.element),
    v: () => one("#view").click(),
    t: turn,
    "/": () => search.focus(),
    "?": () => keys.showModal(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (keys.open) {
      if (event.key === "?") keys.close();
      return;
    }
    if (viewer.dialog.open) {
      viewer.key(event);
      return;
    }
    const on = event.target;
    if (on.matches("input[type=search]")) {
      if (event.key === "Escape" || event.key === "Enter") on.blur();
      return;
    }
    if (on.matches("select")) return;
    const sign = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const moves = event.shiftKey || !on.matches("input[type=range]");
    if (sign && current && !on.matches(".scroll") && moves) {
      slide(current, (value) => (event.shiftKey ? (sign > 0 ? 100 : 0) : value + 5 * sign));
    } else if (actions[event.key]) {
      actions[event.key]();
    } else {
      return;
    }
    event.preventDefault();
  });

  for (const photo of photos) near.observe(photo.element);
  window.addEventListener("beforeprint", () => {
    for (const photo of photos) draw(photo.element);
  });
})();
