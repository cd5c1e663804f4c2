// Keeps a board live: the page is whole without it, and stays as it was when nothing comes.

const MARK_MS = 30_000; // how long a movement stays marked after the last one
const AGAIN_MS = 10_000; // the browser gives a stream up that was refused; we do not
const PATIENCE_MS = 3_000; // a stream that comes back at once was never away
const LONG = 16; // characters of a score that gets smaller letters
const SPEAK_MS = 15_000; // at most one sentence in this time to a screen reader

const element = (id) => document.getElementById(id);
const board = element("board");
const rows = element("rows");
const still = matchMedia("(prefers-reduced-motion: reduce)");
const players = new Map(); // player id -> { entry, row, base, movedAt }
let current = []; // entries in rank order
let shown = false; // whether a snapshot came: what the page was loaded with moves nowhere
let start; // of the period, as the stream says

const grouped = (number) => {
  const [whole, fraction] = String(number).split(".");
  const digits = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return fraction === undefined ? digits : `${digits}.${fraction}`;
};

function adopt() {
  for (const row of rows.rows) {
    players.set(row.dataset.player, { row });
  }
}

function newRow(player) {
  const row = element("row").content.firstElementChild.cloneNode(true);
  row.dataset.player = player;
  row.querySelector("bdi").textContent = player;
  row.querySelector("bdi").title = player;
  return row;
}

function show(entries) {
  const before = new Map([...rows.rows].map((row) => [row, row.getBoundingClientRect().top]));
  const now = Date.now();
  const kept = new Set(entries.map((entry) => entry.player_id));
  for (const [player, held] of players) {
    if (!kept.has(player)) {
      held.row.remove();
      players.delete(player);
    }
  }
  entries.forEach((entry, index) => {
    let held = players.get(entry.player_id);
    if (!held) {
      held = { row: newRow(entry.player_id) };
      players.set(entry.player_id, held);
      if (shown) mark(held, null, now);
    } else if (held.entry && held.entry.rank !== entry.rank) {
      mark(held, held.entry.rank, now);
    }
    const changed = shown && held.entry?.score !== entry.score;
    held.entry = entry;
    fill(held, changed);
    if (rows.rows[index] !== held.row) rows.insertBefore(held.row, rows.rows[index] ?? null);
  });
  current = entries;
  shown = true;
  slide(before);
  element("empty").hidden = entries.length > 0;
}

// The rank from which the marked movement counts; null: not among the first then.
function mark(held, from, now) {
  if (held.movedAt === undefined) held.base = from;
  held.movedAt = now;
}

function fill(held, changed) {
  const { entry, row } = held;
  row.querySelector(".number").textContent = grouped(entry.rank);
  row.querySelector(".tie").hidden = !entry.tied;
  score(row.querySelector(".score"), grouped(entry.score));
  movement(held);
  if (changed) {
    row.classList.add("changed");
    setTimeout(() => row.classList.remove("changed"), 400);
  }
}

function score(cell, text) {
  const long = text.length > LONG;
  cell.classList.toggle("long", long);
  cell.replaceChildren();
  text.split(",").forEach((group, index) => {
    if (index) cell.append(",");
    // A score of thirty digits may break, but between its groups.
    if (index && long) cell.append(document.createElement("wbr"));
    cell.append(group);
  });
}

function movement(held) {
  const cell = held.row.querySelector(".move");
  cell.replaceChildren();
  if (held.movedAt === undefined || held.base === held.entry.rank) return;
  const by = held.base === null ? 0 : held.base - held.entry.rank;
  const kind = by > 0 ? "up" : by < 0 ? "down" : "new";
  const sign = document.createElement("span");
  sign.className = kind;
  sign.ariaHidden = "true";
  sign.textContent = by > 0 ? `▲ ${by}` : by < 0 ? `▼ ${-by}` : "new";
  const words = document.createElement("span");
  words.className = "unseen";
  words.textContent = by ? `${kind} ${Math.abs(by)}` : "new";
  cell.append(sign, words);
}

function fade() {
  const now = Date.now();
  for (const held of players.values()) {
    if (held.movedAt !== undefined && now - held.movedAt > MARK_MS) {
      held.movedAt = undefined;
      movement(held);
    }
  }
}

function slide(before) {
  if (still.matches) return;
  for (const [row, top] of before) {
    const by = row.isConnected ? top - row.getBoundingClientRect().top : 0;
    if (by) {
      // Who rises passes above those who fall.
      const above = by > 0 ? 1 : 0;
      row.animate(
        [
          { transform: `translateY(${by}px)`, zIndex: above },
          { transform: "none", zIndex: above },
        ],
        { duration: 400, easing: "ease-out" },
      );
    }
  }
}

function facts(view) {
  element("total").textContent = grouped(view.total);
  const updated = element("updated");
  updated.dateTime = view.read_at;
  updated.textContent = new Date(view.read_at).toLocaleTimeString([], { hourCycle: "h23" });
}

function onSnapshot(event) {
  const view = JSON.parse(event.data);
  if (start !== undefined && start !== view.period_start) {
    location.reload(); // another period began: its days and its board are the server's to say
    return;
  }
  start = view.period_start;
  show(view.entries);
  facts(view);
  connection("live");
}

function onRanks(event) {
  const view = JSON.parse(event.data);
  const entries = new Map(current.map((entry) => [entry.player_id, entry]));
  for (const player of view.left) entries.delete(player);
  for (const entry of view.changed) entries.set(entry.player_id, entry);
  const leader = current[0]?.player_id;
  show([...entries.values()].sort((one, other) => one.rank - other.rank));
  facts(view);
  if (current[0] && current[0].player_id !== leader) {
    say(`${current[0].player_id} leads with ${grouped(current[0].score)}`);
  }
}

let spokenAt = 0;
let waiting; // the last sentence that was not said yet

function say(sentence) {
  waiting = sentence;
  speak();
}

function speak() {
  if (waiting === undefined || Date.now() - spokenAt < SPEAK_MS) return;
  element("said").textContent = waiting;
  spokenAt = Date.now();
  waiting = undefined;
}

const WORDS = { live: "Live", waiting: "Reconnecting", still: "Connecting" };
let away; // the timer that tells of a loss

function connection(state) {
  clearTimeout(away);
  away = undefined;
  element("state").dataset.state = state;
  element("state-text").textContent = WORDS[state];
  element("notice").hidden = state !== "waiting";
  element("notice").textContent = "The connection is lost. The board is as it was; trying again.";
}

function lost() {
  away ??= setTimeout(() => connection("waiting"), PATIENCE_MS);
}

function open() {
  const source = new EventSource(board.dataset.stream);
  source.addEventListener("snapshot", onSnapshot);
  source.addEventListener("ranks", onRanks);
  source.addEventListener("error", () => {
    lost();
    if (source.readyState === EventSource.CLOSED) setTimeout(open, AGAIN_MS * (0.5 + Math.random()));
  });
  addEventListener("pagehide", () => source.close(), { once: true });
}

adopt();
connection("still");
setInterval(() => {
  fade();
  speak();
}, 1_000);
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
open();
