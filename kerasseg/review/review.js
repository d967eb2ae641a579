// The review page: shows a tile, takes a key, saves the decision, and only then shows the next tile.
"use strict";

const el = (id) => document.getElementById(id);
const MOMENT = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
const WAITING = ["selected", "proposed"];
const colours = document.body.dataset.colours.split(" ");
const presses = []; // keys that wait for the one before them to be saved
let tiles = []; // entries of the queue, as ordered when the page was opened; decided ones stay
let states = {}; // how many tiles of the whole queue are in each state
let at = 0;
let working = false;
let editing = false;

async function ask(route, body) {
  const post = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  let reply;
  try {
    reply = await fetch(route, { ...(body && post), signal: AbortSignal.timeout(15000) });
  } catch {
    throw new Error("the server does not answer. Is it still running? Decisions made before are saved.");
  }
  const answer = await reply.json();
  if (!reply.ok) throw new Error(answer.error);
  return answer;
}

async function load() {
  const answer = await ask("entries");
  const now = new Map(answer.entries.map((entry) => [entry.tile, entry]));
  const known = new Set(tiles.map((entry) => entry.tile));
  tiles = tiles.map((entry) => now.get(entry.tile) ?? entry);
  tiles.push(...answer.waiting.filter((tile) => !known.has(tile)).map((tile) => now.get(tile)));
  states = {};
  for (const { state } of answer.entries) states[state] = (states[state] ?? 0) + 1;
  show();
}

async function decide(state) {
  if (!tiles.length) return;
  take(await ask("decide", { tile: tiles[at].tile, state }));
  const next = [...tiles.keys()].map((n) => (at + 1 + n) % tiles.length).find((n) => waits(tiles[n]));
  at = next ?? at;
}

async function undo() {
  const entry = await ask("undo", {});
  if (!tiles.some((known) => known.tile === entry.tile)) tiles.splice(at, 0, { ...entry, state: "" });
  at = tiles.findIndex((known) => known.tile === entry.tile);
  take(entry);
}

async function edit() {
  if (!tiles.length) return;
  const { opened } = await ask("edit", { tile: tiles[at].tile });
  editing = true;
  say(`${opened} is open in labelme. Save there and come back: the tile will be marked as edited.`);
}

function take(entry) {
  const before = tiles.find((known) => known.tile === entry.tile);
  if (before.state) states[before.state] -= 1;
  states[entry.state] = (states[entry.state] ?? 0) + 1;
  Object.assign(before, entry);
}

const waits = (entry) => WAITING.includes(entry.state);
const move = (step) => (at = Math.min(Math.max(at + step, 0), Math.max(tiles.length - 1, 0)));
const KEYS = {
  a: () => decide("accepted"),
  r: () => decide("rejected"),
  e: edit,
  u: undo,
  o: () => document.body.classList.toggle("bare"),
  j: () => move(1),
  ArrowRight: () => move(1),
  k: () => move(-1),
  ArrowLeft: () => move(-1),
  "?": () => el("keys").showModal(),
};

async function press(key) {
  presses.push(key);
  if (working) return;
  working = true;
  while (presses.length) {
    try {
      say("");
      await KEYS[presses.shift()]();
      fail("");
    } catch (error) {
      presses.length = 0; // they were meant for tiles that are not shown yet
      fail(`Not done: ${error.message}`);
    }
    show();
  }
  working = false;
}

function show() {
  const entry = tiles[at];
  el("review").hidden = !entry;
  el("done").hidden = tiles.some(waits);
  progress();
  strip();
  if (!entry) return;
  el("name").textContent = entry.tile;
  el("state").textContent = el("state").dataset.state = entry.state;
  picture("tile", `tile/${entry.tile}`, `Tile ${entry.tile}`);
  picture("outline", `outline/${entry.tile}`, "");
  picture("around", `around/${entry.tile}`, `Tile ${entry.tile} amid its neighbours`);
  facts(entry);
}

function picture(id, address, alt) {
  if (el(id).getAttribute("src") !== address) el(id).src = address;
  el(id).alt = alt;
}

function facts(entry) {
  const cluster = document.createElement("i");
  cluster.style.background = colours[entry.cluster % colours.length];
  const lines = {
    cluster: [cluster, `${entry.cluster}`],
    uncertainty: [...figure(entry.uncertainty)],
    score: [...figure(entry.score)],
    "proposed by": [entry.proposer || "nobody yet"],
    "drawn in": [`round ${entry.round}, ${entry.policy}`],
    part: [entry.part || "–"],
    decided: [entry.who ? `by ${entry.who}, ${MOMENT.format(new Date(entry.when))}` : "not yet"],
  };
  const pairs = Object.entries(lines).flatMap(([name, content]) => [part("dt", [name]), part("dd", content)]);
  el("facts").replaceChildren(...pairs);
}

function figure(value) {
  if (value === null) return ["–"];
  const meter = document.createElement("meter");
  meter.value = value;
  return [value.toFixed(2), meter];
}

function part(kind, content) {
  const made = document.createElement(kind);
  made.append(...content);
  return made;
}

function progress() {
  const total = Object.values(states).reduce((sum, count) => sum + count, 0);
  const counts = ["accepted", "edited", "rejected"].map((state) => [state, states[state] ?? 0]);
  const decided = counts.reduce((sum, [, count]) => sum + count, 0);
  for (const [state, count] of counts)
    document.querySelector(`.bar [data-state=${state}]`).style.width = `${(100 * count) / Math.max(total, 1)}%`;
  const named = counts.filter(([, count]) => count).map(([state, count]) => `${count} ${state}`);
  el("count").textContent = [`${decided} of ${total} decided`, ...named].join(" · ");
}

function strip() {
  const first = Math.max(0, Math.min(at - 5, tiles.length - 16));
  const shown = tiles.slice(first, first + 16).map((entry, n) => {
    const image = Object.assign(new Image(), { src: `tile/${entry.tile}`, alt: entry.tile });
    const button = part("button", [image]);
    button.type = "button";
    button.title = `${entry.tile}, ${entry.state}`;
    button.dataset.state = entry.state;
    button.className = first + n === at ? "here" : "";
    button.onclick = () => ((at = first + n), show());
    return button;
  });
  el("strip").replaceChildren(...shown);
}

function say(text) {
  el("said").textContent = text;
  el("said").hidden = !text;
}

function fail(text) {
  el("failure").textContent = text;
  el("failure").hidden = !text;
}

document.addEventListener("keydown", (event) => {
  const held = event.repeat && !/^[jk]$|^Arrow/.test(event.key); // a key held down decides once
  if (event.ctrlKey || event.metaKey || event.altKey || held || el("keys").open || !(event.key in KEYS)) return;
  event.preventDefault();
  press(event.key);
});
for (const button of document.querySelectorAll("[data-key]")) {
  button.addEventListener("click", () => (button.blur(), press(button.dataset.key)));
}
el("keys").addEventListener("click", () => el("keys").close());
el("outline").addEventListener("error", () => fail(`The outlines of ${tiles[at]?.tile} cannot be read; its labelme file is damaged.`));
window.addEventListener("focus", () => {
  if (!editing) return;
  el("outline").removeAttribute("src"); // it may have been drawn anew
  load().catch((error) => fail(`Not done: ${error.message}`));
});
load().catch((error) => fail(`Not done: ${error.message}`));
