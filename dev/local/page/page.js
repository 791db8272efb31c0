/** The household: its screens, its slots, and its item in the store. */
import { StreamLimiter } from "/client/index.js";
import plan from "/page/plan.js";
import { QUALITIES, Screen } from "./screen.js";
import { unplayable } from "./video.js";

const DEVICES = ["Television", "Laptop", "Tablet", "Phone"];
const ATTRIBUTES = ["userId", "streamCount", "expiresAt", "anonymousCount", "anonymousExpiresAt"];
const MOMENTS = ["expiresAt", "startedAt", "anonymousExpiresAt"];
const REFRESH_MS = 1_000;
const LONG_LEASE_SECONDS = 30;

const UHD = QUALITIES.UHD.groups[0];

const query = new URLSearchParams(location.search);
const hasGroup = UHD in plan.groupLimits;
const isUhd = hasGroup && query.get("plan") === "uhd";
const userId = query.get("user") ?? (isUhd ? "uhd-household" : "household");
const limiter = new StreamLimiter();
const find = (id) => document.getElementById(id);

if (isUhd) {
  find("title").textContent = `One plan: ${plan.maxStreams} screens, ${plan.groupLimits[UHD]} in UHD`;
  find("story").textContent =
    "Start two in UHD: the second one is refused, and may watch in HD instead. " +
    "A screen that plays changes its quality and keeps its slot.";
}
find("households").hidden = !hasGroup;
find("households").children[Number(isUhd)].setAttribute("aria-current", "page");

const screens = DEVICES.map(
  (device) =>
    new Screen({
      ...{ userId, device, hasChoice: isUhd, graceSeconds: plan.graceSeconds },
      ...{ onChange: refresh, onMessage: logMessage, onBeat: countBeat, onLease: hintAt },
    }),
);
find("screens").append(...screens.map(({ element }) => element));

find("no-video").textContent = unplayable;

let refreshes = 0;
async function refresh() {
  if (document.visibilityState === "hidden") return;
  const mine = (refreshes += 1);
  try {
    const [listed, item] = await Promise.all([limiter.streams(userId), readItem()]);
    if (mine !== refreshes) return; // a later refresh is newer
    showSlots(listed);
    showItem(item);
    for (const screen of screens) screen.showSlots(listed.streams);
  } catch {
    find("count").textContent = "The service does not answer";
  }
}

async function readItem() {
  return (await fetch(`/page/item?userId=${encodeURIComponent(userId)}`)).json();
}

function showSlots({ streamCount, maxStreams, streams }) {
  const inUhd = streams.filter(isInUhd).length;
  const ofUhd = isUhd ? `, ${inUhd} of ${plan.groupLimits[UHD]} in UHD` : "";
  const text = `${streamCount} of ${maxStreams} slots taken${ofUhd}`;
  if (find("count").textContent !== text) find("count").textContent = text;
  const labels = Array.from({ length: Math.max(maxStreams, streamCount) }, (_, place) => {
    if (place < streams.length) return nameOf(streams[place]);
    return place < streamCount ? "anonymous" : "";
  });
  find("pips").replaceChildren(
    ...labels.map((label) => {
      const pip = document.createElement("li");
      pip.className = label ? "taken" : "free";
      pip.textContent = label || "free";
      return pip;
    }),
  );
}

function isInUhd({ groups = [] }) {
  return groups.includes(UHD);
}

function nameOf(stream) {
  return `${stream.device ?? stream.streamId}${isInUhd(stream) ? ", UHD" : ""}`;
}

let shown = {};
function showItem(item) {
  const sorted = Object.entries(item).sort(byMeaning);
  const now = Object.fromEntries(sorted.map(([name, value]) => [name, textOf(name, value)]));
  if (JSON.stringify(now) === JSON.stringify(shown)) return; // keep the marks of the last change
  const isFirst = Object.keys(shown).length === 0;
  find("item").replaceChildren(
    ...Object.entries(now).map(([name, text]) => rowOf(name, text, !isFirst && shown[name] !== text)),
  );
  shown = now;
}

/** Order: the user and the counts, the leases by their starts, the names that have tokens. */
function byMeaning([a, first], [b, second]) {
  return placeOf(a) - placeOf(b) || (first.startedAt ?? 0) - (second.startedAt ?? 0);
}

function placeOf(name) {
  if (name === "tokens") return Infinity;
  const place = ATTRIBUTES.indexOf(name);
  return place < 0 ? ATTRIBUTES.length : place;
}

function textOf(name, value) {
  if (typeof value !== "object") return String(readable(name, value));
  return JSON.stringify(value, readable, 1).replace(/\n */g, " ");
}

/** Show a timestamp as a local time. */
function readable(name, value) {
  if (!MOMENTS.includes(name) && !name.startsWith("spent#")) return value;
  const at = new Date(value * 1000);
  const isToday = at.toDateString() === new Date().toDateString();
  return isToday ? timeOf(at) : at.toLocaleString("sv-SE"); // close to ISO 8601
}

function timeOf(at) {
  return at.toLocaleTimeString("en-GB");
}

function rowOf(name, text, isChanged) {
  const row = document.createElement("tr");
  const title = document.createElement("th");
  const cell = document.createElement("td");
  title.scope = "row";
  title.textContent = name;
  cell.textContent = text;
  row.append(title, cell);
  row.className = isChanged ? "changed" : "";
  return row;
}

const beats = new Map();
function logMessage(device, text, kind) {
  beats.delete(device);
  writeLine(kind).append(`${device}: ${text}`);
}

/** Combine a screen's consecutive heartbeats in one line, which screen readers do not announce again. */
function countBeat(device) {
  const latest = beats.get(device);
  const isThere = latest?.text.isConnected; // otherwise the log has dropped its line
  const { count, text } = isThere ? latest : { count: 0, text: document.createTextNode("") };
  if (count === 0) {
    const line = writeLine("beats");
    line.setAttribute("aria-live", "off");
    line.append(text);
  }
  text.data = `${device}: ${count ? `${count + 1} heartbeats, last ${timeOf(new Date())}` : "1 heartbeat"}`;
  beats.set(device, { count: count + 1, text });
}

function writeLine(kind) {
  const line = document.createElement("li");
  const time = document.createElement("time");
  time.textContent = timeOf(new Date());
  line.append(time, " ");
  line.className = kind;
  find("log").prepend(line);
  while (find("log").children.length > 50) find("log").lastElementChild.remove();
  return line;
}

/** Hint at a shorter lease if the wait after a crash is long. */
function hintAt(leaseSeconds) {
  if (leaseSeconds <= LONG_LEASE_SECONDS) return;
  find("hint").textContent = `A lease lasts ${leaseSeconds} s here; with make run LEASE_SECONDS=15 a crashed stream's slot is free sooner.`;
}

refresh();
setInterval(refresh, REFRESH_MS);
document.addEventListener("visibilitychange", refresh);
