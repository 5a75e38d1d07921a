/* The dashboard works without this file. It adds: live update, fresh times, copying, keys, a check of typed counts.
   Words come from the page (data-kiq-words), so that they are translated there. */
"use strict";
(() => {
  const ERRORS = 3;
  const IDLE = 30 * 60_000;
  const SAY_EVERY = 30_000;
  const GIVE_UP = 10_000;
  const SIZES = [86_400, 3_600, 60, 1];

  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const one = (selector, root = document) => root.querySelector(selector);
  const words = () => one("[data-kiq-words]")?.dataset ?? {};

  const memory = {
    read(name, otherwise) {
      try {
        return JSON.parse(localStorage.getItem(`kiq.${name}`)) ?? otherwise;
      } catch {
        return otherwise;
      }
    },
    write(name, value) {
      try {
        localStorage.setItem(`kiq.${name}`, JSON.stringify(value));
      } catch {
        // A browser that keeps nothing still shows everything.
      }
    },
  };

  function selectsText(region) {
    const selection = getSelection();
    if (!selection || selection.isCollapsed) return false;
    return !region || region.contains(selection.anchorNode) || region.contains(selection.focusNode);
  }

  /* -- times: the same words and the same rule as kiq_django.durations -- */

  function written(unit, amount) {
    const number = new Intl.NumberFormat(document.documentElement.lang || undefined).format(amount);
    return unit.replace("%(number)s", number);
  }

  function human(seconds) {
    const units = (words().units ?? "").split("|");
    for (let i = 0; i < SIZES.length - 1; i++) {
      const steps = Math.round(seconds / SIZES[i + 1]);
      if (Math.floor(steps / (SIZES[i] / SIZES[i + 1])) > 1) return written(units[i], Math.round(seconds / SIZES[i]));
    }
    return written(units[SIZES.length - 1], Math.round(seconds));
  }

  function relative(ahead) {
    if (Math.abs(ahead) < 1) return words().now;
    return (ahead > 0 ? words().ahead : words().ago).replace("%(duration)s", human(Math.abs(ahead)));
  }

  function freshen(root = document) {
    if (!words().units || selectsText()) return;
    for (const time of all("time[data-kiq-time]", root)) {
      const ahead = Math.round((Date.parse(time.dateTime) - Date.now()) / 1000);
      const text = Number.isFinite(ahead) ? relative(ahead) : time.textContent;
      if (text !== time.textContent) time.textContent = text;
    }
  }

  /* -- what is opened stays open -- */

  function reopen(root) {
    const open = memory.read("open", []);
    for (const details of all("details[data-kiq-remember]", root)) {
      if (open.includes(details.dataset.kiqRemember)) details.open = true;
    }
  }

  function remember(details) {
    const key = details.dataset?.kiqRemember;
    if (!key) return;
    const others = memory.read("open", []).filter((each) => each !== key);
    memory.write("open", details.open ? [...others, key].slice(-50) : others);
  }

  /* -- rows become cards on small screens, and need the names of their columns for it -- */

  function label(root) {
    for (const table of all("#result_list, table.kiq-cards", root)) {
      const names = all("thead th", table).map((th) => (one(".text", th) ?? th).textContent.trim());
      for (const row of all("tbody tr", table)) {
        [...row.cells].forEach((cell, i) => {
          if (!("label" in cell.dataset) && names[i] && !cell.matches(".action-checkbox, th")) cell.dataset.label = names[i];
        });
      }
      table.classList.add("kiq-cards");
    }
  }

  function enhance(root) {
    reopen(root);
    label(root);
    freshen(root);
    for (const button of all("[data-kiq-copy]", root)) button.hidden = false;
    for (const input of all("[data-kiq-confirm]", root)) check(input);
  }

  /* -- live update -- */

  const live = { seconds: 0, timer: 0, errors: 0, touched: Date.now(), said: 0, saying: "", busy: false };
  const parts = new WeakMap(); // region -> what the server said last: { asked, etag, html }

  function isHeld(region) {
    if (region.contains(document.activeElement) && document.activeElement !== region) return true;
    if (one("input:checked, tr.selected, details[open]:not([data-kiq-remember])", region)) return true;
    return selectsText(region);
  }

  function show(region) {
    const part = parts.get(region);
    if (part?.html === undefined || isHeld(region)) return;
    const made = document.createElement("template");
    made.innerHTML = part.html;
    reopen(made.content);
    region.replaceChildren(made.content);
    delete part.html;
    enhance(region);
    live.saying = one("[data-kiq-say]", region)?.dataset.kiqSay ?? live.saying;
  }

  async function ask(region) {
    const headers = { "X-Requested-With": "XMLHttpRequest" };
    const part = parts.get(region) ?? {};
    const least = Number(region.dataset.kiqLeast ?? 0) * 1000;
    if (Date.now() - (part.asked ?? 0) < least) return show(region);
    if (part.etag) headers["If-None-Match"] = part.etag;
    parts.set(region, { ...part, asked: Date.now() });
    const signal = AbortSignal.timeout(GIVE_UP);
    // Redirects lead to the sign-in page, which is no part of this one.
    const answer = await fetch(region.dataset.kiqLive, { headers, signal, redirect: "manual", credentials: "same-origin" });
    if (answer.status === 200) {
      parts.set(region, { asked: Date.now(), etag: answer.headers.get("ETag"), html: await answer.text() });
    } else if (answer.status !== 304) throw new Error(`status ${answer.status}`);
    show(region);
  }

  function say() {
    const place = one("[data-kiq-said]");
    if (!place || place.textContent === live.saying || Date.now() - live.said < SAY_EVERY) return;
    place.textContent = live.saying;
    live.said = Date.now();
  }

  function banner(name, shown) {
    const place = one(`[data-kiq-banner="${name}"]`);
    if (place) place.hidden = !shown;
    if (shown) state("off");
  }

  function state(name) {
    const control = one("[data-kiq-control]");
    if (control) control.dataset.state = name;
  }

  async function update() {
    clearTimeout(live.timer);
    if (!live.seconds || live.busy || document.hidden) return;
    if (Date.now() - live.touched > IDLE) return banner("idle", true);
    live.busy = true;
    const results = await Promise.allSettled(all("[data-kiq-live]").map(ask));
    live.busy = false;
    live.errors = results.some((each) => each.status === "rejected") ? live.errors + 1 : 0;
    say();
    if (live.errors >= ERRORS) return banner("lost", true);
    live.timer = setTimeout(update, live.seconds * 1000);
  }

  function go() {
    live.errors = 0;
    live.touched = Date.now();
    banner("lost", false);
    banner("idle", false);
    state(live.seconds ? "on" : "off");
    update();
  }

  function startLive() {
    const regions = all("[data-kiq-live]");
    const control = one("[data-kiq-control]");
    if (!regions.length || !control) return;
    const select = one("select", control);
    const scope = document.body.classList.contains("change-list") ? "live.lists" : "live.pages";
    const wanted = Number(memory.read(scope, Number(regions[0].dataset.kiqRefresh ?? 0))) || 0;
    if (!all("option", select).some((option) => Number(option.value) === wanted)) {
      select.add(new Option(written((words().units ?? "").split("|").at(-1), wanted), wanted));
    }
    select.value = wanted;
    control.hidden = false;
    live.seconds = wanted;
    select.addEventListener("change", () => {
      live.seconds = Number(select.value);
      memory.write(scope, live.seconds);
      go();
    });
    for (const button of all("[data-kiq-banner] button")) button.addEventListener("click", go);
    for (const kind of ["pointerdown", "pointermove", "keydown", "scroll"]) {
      addEventListener(kind, touched, { passive: true, capture: true });
    }
    document.addEventListener("visibilitychange", () => !document.hidden && update());
    state(wanted ? "on" : "off");
    live.timer = setTimeout(update, wanted * 1000);
  }

  function touched() {
    live.touched = Date.now();
    const idle = one('[data-kiq-banner="idle"]');
    if (idle && !idle.hidden) go();
  }

  /* -- copying -- */

  async function copy(button) {
    const wanted = button.dataset.kiqCopy;
    const text = wanted.startsWith("#") ? (one(wanted)?.textContent ?? "").trim() : wanted;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      copyByHand(text); // no clipboard without https
    }
    const before = button.textContent;
    button.textContent = words().copied;
    setTimeout(() => (button.textContent = before), 2000);
  }

  function copyByHand(text) {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "visually-hidden";
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }

  /* -- typed counts -- */

  function check(input) {
    const right = input.value.replace(/\D/g, "") === input.dataset.kiqConfirm.replace(/\D/g, "");
    for (const button of all("[data-kiq-confirmed]", input.form)) button.disabled = !right;
  }

  /* -- keys -- */

  let went = 0;
  const rows = () => all("#result_list tbody tr, table[data-kiq-rows] tbody tr");

  function move(step) {
    const found = rows();
    const at = found.indexOf(document.activeElement?.closest("tr"));
    const next = found[at < 0 ? 0 : Math.min(Math.max(at + step, 0), found.length - 1)];
    if (!next) return;
    next.tabIndex = -1;
    next.focus();
  }

  const keys = {
    "/": () => one("#searchbar, [data-kiq-search]")?.focus(),
    "?": () => one("[data-kiq-keys]")?.showModal(),
    j: () => move(1),
    k: () => move(-1),
    x: (target) => one("input[type=checkbox]", target.closest("tr") ?? document.createElement("i"))?.click(),
    g: () => (went = Date.now()),
  };

  function press(event) {
    const target = event.target;
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || !memory.read("keys", true)) return;
    if (target.closest("input, textarea, select, dialog, [contenteditable]")) return;
    if (event.key === "Enter") return target.matches("tr") ? one("a[href]", target)?.click() : undefined;
    const goes = Date.now() - went < 1500;
    went = 0;
    const link = goes ? one(`[data-kiq-go="${CSS.escape(event.key)}"]`) : one(`[data-kiq-key="${CSS.escape(event.key)}"]`);
    const act = link ? () => link.click() : goes ? undefined : keys[event.key];
    if (!act) return;
    event.preventDefault();
    act(target);
  }

  function startKeys() {
    addEventListener("keydown", press);
    const box = one("[data-kiq-keys-on]");
    if (!box) return;
    box.checked = memory.read("keys", true);
    box.addEventListener("change", () => memory.write("keys", box.checked));
    for (const button of all("[data-kiq-help]")) {
      button.hidden = false;
      button.addEventListener("click", keys["?"]);
    }
  }

  function start() {
    enhance(document);
    startLive();
    startKeys();
    addEventListener("click", (event) => {
      const button = event.target.closest?.("[data-kiq-copy]");
      if (button) copy(button);
    });
    addEventListener("input", (event) => event.target.matches?.("[data-kiq-confirm]") && check(event.target));
    document.addEventListener("toggle", (event) => remember(event.target), true);
    setInterval(() => document.hidden || freshen(), 1000);
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
