// Keeps an open page up to date: the server sends the parts that changed, this puts them in place.
"use strict";
(() => {
  const KEPT_LINES = 10000;
  const page = document.querySelector("[data-live]");
  let source = null;

  const words = (seconds) => {
    if (seconds < 5) return "just now";
    if (seconds < 60) return `${seconds} s ago`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
    return seconds < 172800 ? `${Math.floor(seconds / 3600)} h ago` : `${Math.floor(seconds / 86400)} days ago`;
  };
  const span = (seconds) => {
    if (seconds < 60) return `${seconds} s`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
    return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  };
  const tick = () => {
    for (const time of document.querySelectorAll("time[data-ago], time[data-since]")) {
      const passed = Math.max(0, Math.floor((Date.now() - Date.parse(time.dateTime)) / 1000));
      const text = "ago" in time.dataset ? words(passed) : span(passed);
      if (time.textContent !== text) time.textContent = text;
    }
  };

  const parse = (html) => document.createRange().createContextualFragment(html);

  // What somebody is doing in a part outlives its replacement: open details, text that was typed, the focus.
  const keep = (old, fresh) => {
    for (const details of old.querySelectorAll("details[open][id]")) {
      const same = fresh.querySelector(`#${CSS.escape(details.id)}`);
      if (same) same.open = true;
    }
    for (const field of old.querySelectorAll("input[id], textarea[id], select[id]")) {
      const same = fresh.querySelector(`#${CSS.escape(field.id)}`);
      if (same) same.value = field.value;
    }
  };
  // A press is not taken away from under the pointer: parts that come meanwhile wait for its end.
  let pressed = false;
  const waiting = [];
  const release = () => setTimeout(() => {
    pressed = false;
    waiting.splice(0).forEach(replace);
  });
  const replace = (html) => {
    if (pressed) {
      waiting.push(html);
      return;
    }
    const fresh = parse(html).firstElementChild;
    const old = fresh && document.getElementById(fresh.id);
    if (!old) return;
    const active = old.contains(document.activeElement) ? document.activeElement : null;
    const [start, end] = active ? [active.selectionStart, active.selectionEnd] : [];
    keep(old, fresh);
    old.replaceWith(fresh);
    const again = active && active.id && document.getElementById(active.id);
    if (!again) return;
    again.focus({ preventScroll: true });
    if (typeof start === "number") again.setSelectionRange(start, end);
  };

  const append = (html) => {
    const log = document.getElementById("log");
    if (!log) return;
    const follows = log.scrollTop + log.clientHeight >= log.scrollHeight - 40;
    log.append(parse(html));
    while (log.childElementCount > KEPT_LINES) log.firstElementChild.remove();
    if (follows) log.scrollTop = log.scrollHeight;
  };

  const stop = () => { if (source) source.close(); source = null; };
  let position = null;
  const follow = () => {
    if (source || document.hidden) return;
    const address = new URL(page.dataset.live, location.href);
    address.search = address.search || location.search;
    if (position) address.searchParams.set("from", position);
    source = new EventSource(address);
    source.addEventListener("part", (event) => { replace(event.data); tick(); });
    source.addEventListener("lines", (event) => { append(event.data); position = event.lastEventId; });
    for (const name of ["gone", "stale"]) source.addEventListener(name, () => { stop(); location.reload(); });
    source.onerror = () => {
      if (source && source.readyState === EventSource.CLOSED) { stop(); setTimeout(follow, 10000); }
    };
  };

  tick();
  setInterval(tick, 1000);
  const log = document.querySelector("#log, .log.whole[data-end]");
  if (log) log.scrollTop = log.scrollHeight;
  if (page) {
    document.addEventListener("pointerdown", () => { pressed = true; });
    for (const end of ["pointerup", "pointercancel"]) document.addEventListener(end, release);
    follow();
    // A page that nobody sees holds no connection: browsers have few of them.
    document.addEventListener("visibilitychange", () => (document.hidden ? stop() : follow()));
  }
  // A menu closes by Escape and by a click elsewhere.
  const menu = document.getElementById("menu");
  if (menu) {
    document.addEventListener("keydown", (event) => { if (event.key === "Escape") menu.open = false; });
    document.addEventListener("click", (event) => { if (!menu.contains(event.target)) menu.open = false; });
  }
})();
