"use strict";
// Draws the reports that the server sends. Every text goes in through textContent.
const $ = (id) => document.getElementById(id);
const controls = { filter: $("filter"), reason: $("reason"), older: $("older") };
let report = null, paused = false;

function el(tag, cls, ...kids) {
  const e = document.createElement(tag);
  if (cls) e.className = cls;
  e.append(...kids.filter((k) => k !== null && k !== undefined && k !== ""));
  return e;
}
function time(ms) {
  if (ms === null || ms === undefined) return "";
  if (ms < 1000) return `${ms} ms`;
  const s = ms / 1000;
  if (s < 60) return `${s.toFixed(1)} s`;
  const m = Math.floor(s / 60);
  if (m < 60) return `${m} min ${Math.floor(s % 60)} s`;
  return `${Math.floor(m / 60)} h ${m % 60} min`;
}
function left(ms) {
  if (ms === null || ms === undefined) return null;
  return el("span", ms < 500 ? "left short" : "left", `${time(ms)} left`);
}

// Whether a row is shown, for what is written into the three controls.
function wanted(row) {
  const words = controls.filter.value.trim().toLowerCase();
  const reason = controls.reason.value;
  if (reason && row.reason !== reason) return false;
  if ((row.age_ms || 0) < Number(controls.older.value)) return false;
  if (!words) return true;
  const all = [row.name, row.spawned_at, row.opened_at, row.line, row.label, row.cause, row.ended, row.why, ...(row.values || [])];
  return all.some((t) => t && t.toLowerCase().includes(words));
}

// Brings the children of `parent` to `rows`, in their order, one element a key. While somebody
// points at the list nothing in it moves: what is gone stays, struck through, and what is new
// waits unless it comes last.
function sync(parent, rows, key, make, update) {
  const held = isHeld(parent);
  const old = new Map();
  for (const child of parent.children) old.set(child.dataset.key, child);
  let at = parent.firstElementChild;
  rows.forEach((row, i) => {
    const k = String(key(row));
    let child = old.get(k);
    if (child) {
      old.delete(k);
      child.classList.remove("gone");
    } else {
      if (held && rows.slice(i + 1).some((later) => old.has(String(key(later))))) return;
      child = make(row);
      child.dataset.key = k;
    }
    if (held) {
      if (!child.parentNode) parent.append(child);
    } else if (child === at) {
      at = at.nextElementSibling;
    } else {
      parent.insertBefore(child, at);
    }
    update(child, row);
  });
  for (const child of old.values()) {
    if (held) child.classList.add("gone");
    else child.remove();
  }
}
// Pointing is being inside of the list and having moved there a moment ago.
let pointed = { in: null, at: 0 };
function isHeld(list) {
  return pointed.in && list.contains(pointed.in) && performance.now() - pointed.at < 4000;
}
function cells(tr, ...contents) {
  const heads = tr.closest("table").tHead.rows[0].cells;
  contents.forEach((content, i) => {
    const td = tr.cells[i] || tr.insertCell();
    if (!td.dataset.h) td.dataset.h = heads[i].textContent;
    const parts = [content].flat().filter((p) => p !== null && p !== "");
    const same = parts.map((p) => (typeof p === "string" ? p : p.textContent)).join("");
    if (td.textContent !== same || td.childNodes.length !== parts.length) td.replaceChildren(...parts);
    if (i === 1 || i === 2) td.className = "t";
  });
}
function table(section, rows, key, update) {
  const tbl = section.querySelector("table");
  sync(tbl.tBodies[0], rows, key, () => el("tr"), update);
  tbl.hidden = tbl.tBodies[0].children.length === 0;
  section.querySelector(".none").hidden = !tbl.hidden;
  section.querySelector(".n").textContent = rows.length ? rows.length : "";
}
const named = (row) => el("span", "name", row.name || row.label || "task");

function drawStuck() {
  const section = $("stuck");
  const rows = report.stuck.filter(wanted);
  table(section, rows, (r) => r.id, (tr, r) => cells(
    tr,
    [named(r), el("span", "kind", ` ${r.kind}${r.can_be_aborted ? "" : ", cannot be aborted"}`)],
    `${time(r.asked_ms)} ago`,
    time(r.age_ms),
    el("span", "why", r.cause),
    el("span", "at", r.spawned_at),
  ));
  section.classList.toggle("some", rows.length > 0);
  document.title = rows.length ? `(${rows.length}) What runs now` : "What runs now";
}

function drawTask(li, t) {
  if (!li.firstElementChild) {
    li.append(el("div", "row", named(t), el("span", "kind", t.kind), el("span", "t"), el("span", "at", t.spawned_at)));
  }
  li.querySelector(".t").textContent = time(t.age_ms);
}
function scopeMatches(scope) {
  return wanted(scope) || scope.tasks.some(wanted) || scope.scopes.some(scopeMatches);
}
function drawScope(li, s) {
  let details = li.firstElementChild;
  if (!details) {
    details = el("details", "", el("summary", "row"), el("ul", "tasks"), el("ul", "scopes"));
    details.open = true;
    li.append(details);
  }
  const num = s.tasks.length + s.more_tasks;
  const row = [
    el("span", "name", s.name || "scope"), el("span", "at", s.opened_at),
    num ? el("span", "kind", num === 1 ? "1 task" : `${num} tasks`) : null,
    s.handed_over ? el("span", "kind", "handed over") : null,
    left(s.remaining_ms),
    s.ended ? el("span", "why", s.ended) : null,
  ].filter((e) => e);
  const summary = details.firstElementChild;
  if (summary.textContent !== row.map((e) => e.textContent).join("")) summary.replaceChildren(...row);
  const whole = wanted(s) && controls.older.value === "0";
  const [tasks, scopes] = [details.children[1], details.children[2]];
  sync(tasks, s.tasks.filter((t) => whole || wanted(t)), (t) => t.id, () => el("li"), drawTask);
  sync(scopes, s.scopes.filter(scopeMatches), (c) => c.id, () => el("li"), drawScope);
}
function drawTree() {
  const section = $("tree");
  const rows = report.scopes.filter(scopeMatches);
  const tree = section.querySelector(".tree");
  sync(tree, rows, (s) => s.id, () => el("li"), drawScope);
  section.querySelector(".none").hidden = tree.children.length > 0;
  section.querySelector(".n").textContent = report.num_tasks ? `${report.num_tasks}` : "";
  cut(section, report.more_tasks, "tasks");
}
function cut(section, more, what) {
  const p = section.querySelector(".cut");
  p.hidden = !more;
  p.textContent = more ? `${more} more ${what} are not shown.` : "";
}

function drawFlight() {
  const section = $("flight");
  table(section, report.in_flight.filter(wanted), (r) => r.id, (tr, r) => cells(
    tr,
    [el("span", "kind", `${r.kind} `), named(r)],
    time(r.age_ms),
    left(r.remaining_ms),
    r.values.map((v) => el("code", "", `${v} `)),
    r.ended ? el("span", "why", r.ended) : "goes on",
  ));
  cut(section, report.more_in_flight, "");
}
function drawEnds() {
  table($("ends"), report.ends.filter(wanted), (r) => r.id, (tr, r) => cells(
    tr,
    [el("span", "kind", `${r.kind} `), named(r)],
    `${time(r.ago_ms)} ago`,
    time(r.age_ms),
    r.why,
    el("span", "at", r.line),
  ));
  $("counts").textContent = report.counts.map((c) => `${c.reason} ${c.num}`).join(" · ");
}
function drawReasons() {
  const known = new Set([...controls.reason.options].map((o) => o.value));
  for (const r of [...report.counts, ...report.stuck]) {
    if (r.reason && !known.has(r.reason)) {
      known.add(r.reason);
      controls.reason.append(new Option(r.reason, r.reason));
    }
  }
}
function draw() {
  if (!report) return;
  drawReasons();
  drawStuck();
  drawTree();
  drawFlight();
  drawEnds();
}
function status(words, cls) {
  $("status").textContent = words;
  $("status").className = cls;
}
function live() {
  const words = `${report.process} · up ${time(report.up_ms)}`;
  status(paused ? `paused · ${words}` : words, paused ? "" : "live");
}

// The browser reconnects by itself, also after the server has been restarted.
function connect() {
  const source = new EventSource("?events");
  source.onmessage = (event) => {
    if (paused) return;
    report = JSON.parse(event.data);
    live();
    draw();
  };
  source.onerror = () => {
    status("no connection, trying again …", "lost");
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, 1000);
  };
}
function pause() {
  paused = !paused;
  $("pause").setAttribute("aria-pressed", paused);
  $("pause").textContent = paused ? "Go on" : "Pause";
  if (report) live();
}
async function copy() {
  const button = $("copy");
  try {
    const text = await (await fetch("?text")).text();
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Could not copy";
  }
  setTimeout(() => { button.textContent = "Copy as text"; }, 1500);
}

$("pause").addEventListener("click", pause);
$("copy").addEventListener("click", copy);
for (const c of Object.values(controls)) c.addEventListener("input", draw);
document.addEventListener("pointermove", (event) => { pointed = { in: event.target, at: performance.now() }; });
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.key === "/") { event.preventDefault(); controls.filter.focus(); }
  if (event.key === "p") pause();
  if (event.key === "c") copy();
});
connect();
