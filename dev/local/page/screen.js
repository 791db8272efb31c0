/** One screen of the household: a minimal player that shows the work of the client and the edge. */
import { StreamLimiter } from "/client/index.js";
import { keptName } from "./names.js";
import { Video, unplayable } from "./video.js";

/** The qualities that a screen can play: the stream's groups, and the film. */
export const QUALITIES = {
  HD: { groups: [], playlist: "/cdn/demo/index.m3u8" },
  UHD: { groups: ["uhd"], playlist: "/cdn/uhd/demo/index.m3u8" },
};

/** The text and the actions of each state; blocked calls can be unblocked in all states. */
const STATES = {
  off: { title: "Off", actions: ["playInUhd", "play"] },
  starting: { title: "Starting…", actions: ["stop", "block"] },
  playing: { title: "Playing", actions: ["pause", "stop", "changeQuality", "crash", "block"] },
  paused: { title: "Paused", actions: ["resume", "stop", "crash", "block"] },
  cut: { title: "No more video", actions: ["stop", "crash", "block"] },
  lapsed: { title: "Lapsed", actions: ["stop", "block"] },
  refused: { title: "Every slot is taken", actions: ["playInUhd", "play", "watchAnyway"] },
  anyway: { title: "Playing without a slot", actions: ["playInUhd", "play"] },
  denied: { title: "No video", actions: ["playInUhd", "play"] },
  gone: { title: "Stopped", actions: ["playInUhd", "play"] },
  crashed: { title: "Crashed", actions: ["comeBack"] },
  failed: { title: "No answer", actions: ["playInUhd", "play", "block"] },
};

/** Why a slot was taken away. */
const REASONS = {
  replaced: "Another screen took over this slot.",
  evicted: "Another screen was started, and needed this slot.",
  ended: "Its stream was ended.",
  expired: "Its lease expired, and another screen took the slot.",
};

/** What a stream sends beside heartbeats, which may go to a URL of their own. */
const STARTS_OR_ENDS = /\/stream\/(start|end)$/;

/** In these, the video plays for as long as the edge hands it out. */
const WITH_VIDEO = ["playing", "anyway"];

/** States with a lease. */
const WITH_LEASE = ["playing", "paused"];

/** States that show nothing if the video cannot play. */
const ABOUT_VIDEO = ["watchAnyway"];

/** Actions for a screen with a choice of quality. */
const ABOUT_QUALITY = ["playInUhd", "changeQuality"];

export class Screen {
  constructor({ userId, device, hasChoice, graceSeconds, onChange, onMessage, onBeat, onLease }) {
    Object.assign(this, { userId, device, hasChoice, onChange, onLease });
    this.graceMs = graceSeconds * 1000;
    this.quality = "HD";
    this.isPaused = false;
    this.beat = () => onBeat(device);
    this.log = (text, kind) => onMessage(device, text, kind);
    this.element = document.getElementById("screen").content.firstElementChild.cloneNode(true);
    this.element.dataset.device = device;
    this.element.setAttribute("aria-label", device);
    this.part("h2").textContent = device;
    this.isBlocked = false;
    const limiter = new StreamLimiter({ fetch: (...request) => this.call(...request) });
    this.stream = limiter.stream({ userId, device, streamId: keptName(`${userId}/${device}`) });
    this.listen();
    this.video = new Video(this.part("video"), {
      token: () => this.playbackToken,
      onRefused: (reason) => this.cutOff(reason),
      onFailed: (details) => this.log(`its video failed: ${details}`, "refused"),
    });
    for (const button of this.element.querySelectorAll("[data-action]")) {
      button.addEventListener("click", () => this[button.dataset.action]());
      this.label(button, button.textContent);
    }
    this.show("off", "Press play.");
    setInterval(() => this.tick(), 200);
  }

  part(selector) {
    return this.element.querySelector(selector);
  }

  label(button, text) {
    button.textContent = text;
    button.setAttribute("aria-label", `${text}: ${this.device}`);
  }

  button(action) {
    return this.part(`[data-action="${action}"]`);
  }

  /** Restart after a crash; the stream keeps its name. */
  comeBack() {
    return this.start(this.quality);
  }

  /** `fetch` for the client; it fails like under an ad blocker while calls are blocked. */
  async call(url, options) {
    if (this.isBlocked) throw new TypeError("The call is blocked.");
    const response = await fetch(url, options);
    if (response.ok && !STARTS_OR_ENDS.test(url)) this.beat();
    return response;
  }

  listen() {
    const { stream } = this;
    stream.addEventListener("token", ({ detail }) => {
      if (!detail.playbackToken) return; // the edge refuses the last token and gives the reason
      this.playbackToken = detail.playbackToken;
      if (this.state === "cut") this.showHeld();
    });
    stream.addEventListener("admitted", ({ detail }) => {
      this.wholeLeaseMs = detail.expiresInSeconds * 1000;
      this.quality = this.requested ?? this.quality; // undefined after an automatic restart
      this.showHeld();
      this.log(`admitted, stream ${detail.streamCount} of ${detail.maxStreams}`, "admitted");
      this.onLease(detail.expiresInSeconds);
    });
    stream.addEventListener("refused", ({ detail }) => {
      this.log(`403, ${detail.detail}`, "refused");
      if (stream.state === "admitted") this.keepPlaying(fullness(detail));
      else this.showRefusal(detail);
    });
    stream.addEventListener("lapsed", () => {
      this.show("lapsed", "No answer for a whole lease.");
      this.log("lapsed: no answer for a whole lease", "refused");
    });
    stream.addEventListener("gone", ({ detail }) => {
      this.showGone(detail);
    });
  }

  play() {
    return this.start("HD");
  }

  playInUhd() {
    return this.start("UHD");
  }

  async start(quality, replaces) {
    this.quality = quality;
    this.isPaused = false;
    this.show("starting");
    await this.requestSlot(quality, replaces);
  }

  /** The film plays on until the answer, which may be a refusal. */
  async changeQuality() {
    if (!this.requested) await this.requestSlot(this.otherQuality);
  }

  async requestSlot(quality, replaces) {
    this.requested = quality;
    try {
      await this.stream.start({ replaces, groups: QUALITIES[quality].groups });
    } catch (error) {
      this.log(error.message, "refused");
      if (this.stream.state === "admitted") this.keepPlaying(error.message);
      else this.show("failed", error.message);
    }
    this.requested = undefined;
    this.onChange();
  }

  get otherQuality() {
    return this.quality === "HD" ? "UHD" : "HD";
  }

  /** The other quality is refused; the present one stays. */
  keepPlaying(notice) {
    this.log(`goes on in ${this.quality}`, "ended");
    this.show("playing");
    this.notice = `${notice} `;
    this.tick();
  }

  /** If a group is full, only its streams can make room, and another quality may be free. */
  showRefusal({ limit, streams }) {
    if (!limit) return this.show("refused", "Watching now:", streams);
    const inGroup = streams.filter(({ groups = [] }) => groups.includes(limit.group));
    const name = nameOf(limit.group);
    this.show("refused", `${fullness({ limit })} Watching in ${name} now:`, inGroup);
    this.part(".state").textContent = `${name} is full`;
    this.label(this.button("play"), "Watch in HD instead");
  }

  /** The service says why where it knows. */
  showGone({ title = "Gone", reason, by }) {
    this.show("gone", REASONS[reason] ?? "The slot was taken away.");
    if (by) this.part(".state").textContent = `Stopped by ${by}`;
    const why = [reason, by && `by ${by}`].filter(Boolean).join(" ");
    this.log(`410, ${title.toLowerCase()}${why && `: ${why}`}`, "refused");
  }

  /** Its heartbeats go on, so its slot is there when the viewer is back. */
  pause() {
    this.isPaused = true;
    this.show("paused");
    this.log("paused, and keeps its slot", "ended");
  }

  resume() {
    this.isPaused = false;
    this.show("playing");
    this.log("goes on", "ended");
  }

  async stop() {
    this.show("off", "Stopped: the slot was given back.");
    const hasEnded = await this.stream.end();
    this.log(hasEnded ? "ended its stream" : "cannot end its stream: the lease will", "ended");
    this.onChange();
  }

  /** An ad blocker starts or stops; the player does not notice. */
  block() {
    this.isBlocked = !this.isBlocked;
    this.label(this.button("block"), this.isBlocked ? "Unblock calls" : "Block calls");
    this.log(this.isBlocked ? "its calls are blocked" : "its calls go through again", "ended");
    this.offer();
    this.tick();
  }

  /** A player that ignores the answer. */
  watchAnyway() {
    this.show("anyway");
    this.log("asks the edge all the same", "ended");
  }

  /** The edge refuses: the token has expired or is missing. */
  cutOff(reason) {
    this.show(this.state === "anyway" ? "denied" : "cut", `The edge said 403: ${reason}.`);
    this.log(`403 of the edge: ${reason}`, "refused");
  }

  crash() {
    this.leaseEndsAt = Date.now() + this.stream.leaseMs;
    this.stream.abandon();
    this.show("crashed");
    this.log("crashed; it sends nothing more", "ended");
  }

  /** A crashed screen's slot is free when the service no longer lists it. */
  showSlots(streams) {
    if (this.state !== "crashed" || this.isSlotBack) return;
    const isListed = streams.some(({ streamId }) => streamId === this.stream.streamId);
    if (isListed) return;
    this.isSlotBack = true;
    this.log("its slot is free again", "admitted");
  }

  /** The rest of the lease, which each heartbeat renews. */
  tick() {
    const leftMs = this.state === "crashed" ? Math.max(0, this.leaseEndsAt - Date.now()) : this.stream.leaseMs;
    if (WITH_LEASE.includes(this.state)) {
      const kept = this.state === "paused" ? "Its slot is kept. " : "";
      const blocked = this.isBlocked ? "Calls blocked. " : "";
      this.setDetail(`${this.notice}${kept}${blocked}Lease: ${secondsOf(leftMs)} s`);
    }
    this.countDown(leftMs);
    this.part(".lease").style.width = `${(100 * leftMs) / (this.wholeLeaseMs ?? 1)}%`;
  }

  /** A crashed screen's slot is free after its lease and the grace. */
  countDown(leaseMs) {
    if (this.state !== "crashed") return setText(this.part(".countdown"), "");
    const seconds = this.isSlotBack ? 0 : Math.max(0, secondsOf(this.leaseEndsAt + this.graceMs - Date.now()));
    setText(this.part(".countdown"), seconds > 0 ? `${seconds} s` : "");
    if (this.isSlotBack) this.setDetail("Its slot is free again.");
    else if (leaseMs > 0) this.setDetail("Its slot comes back in");
    else this.setDetail(seconds > 0 ? "Its lease has expired. The grace ends in" : "Its slot comes back now.");
  }

  show(state, detail = "", holders = []) {
    this.state = state;
    this.isSlotBack = false;
    this.notice = "";
    this.element.dataset.state = state;
    this.part(".state").textContent = this.titleOf(state);
    this.label(this.button("play"), this.hasChoice ? "Play in HD" : "Play");
    this.label(this.button("changeQuality"), `Switch to ${this.otherQuality}`);
    this.setDetail(detail);
    const hadFocus = this.element.contains(document.activeElement);
    this.offer();
    this.part(".holders").replaceChildren(...holders.map((holder) => this.holder(holder)));
    if (hadFocus) this.part("[data-action]:not([hidden])").focus(); // keep the focus when its button is hidden
    if (WITH_VIDEO.includes(state)) this.video.play(QUALITIES[this.quality].playlist);
    else if (state === "paused") this.video.pause();
    else this.video.stop();
    this.tick();
  }

  /** Show the buttons that have an effect now. */
  offer() {
    const { actions } = STATES[this.state];
    for (const button of this.element.querySelectorAll("[data-action]")) {
      const { action } = button.dataset;
      const isOffered = actions.includes(action) || (action === "block" && this.isBlocked);
      const isMeaningless =
        (unplayable && ABOUT_VIDEO.includes(action)) || (!this.hasChoice && ABOUT_QUALITY.includes(action));
      button.hidden = !isOffered || isMeaningless;
    }
  }

  /** Do not start a video that the viewer has paused. */
  showHeld() {
    this.show(this.isPaused ? "paused" : "playing");
  }

  titleOf(state) {
    const { title } = STATES[state];
    return state === "playing" && this.hasChoice ? `${title} in ${this.quality}` : title;
  }

  holder({ streamId, device }) {
    const line = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Take over";
    button.setAttribute("aria-label", `Take over from ${device}: ${this.device}`);
    const quality = this.requested ?? this.quality;
    button.addEventListener("click", () => this.start(quality, streamId));
    line.append(device ?? streamId, button);
    return line;
  }

  setDetail(text) {
    setText(this.part(".detail"), text);
  }
}

/** Return the limit of the plan that a refusal names. */
function fullness({ limit }) {
  return limit ? `The plan has ${limit.max} in ${nameOf(limit.group)}.` : `${STATES.refused.title}.`;
}

/** Return a group's name for viewers. */
function nameOf(group) {
  return group.toUpperCase();
}

function secondsOf(milliseconds) {
  return Math.ceil(milliseconds / 1000);
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
