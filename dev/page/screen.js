/** One screen of the household: a player with as little in it as shows what the client and the edge do. */
import { StreamLimiter } from "/client/index.js";
import { keptName } from "./names.js";
import { Video, unplayable } from "./video.js";

/** What each state shows, and what can be done in it. */
const STATES = {
  off: { title: "Off", actions: ["play"] },
  starting: { title: "Starting…", actions: ["pause"] },
  playing: { title: "Playing", actions: ["pause", "crash", "block"] },
  cut: { title: "No more video", actions: ["pause", "block"] },
  refused: { title: "Every slot is taken", actions: ["play", "watchAnyway"] },
  anyway: { title: "Playing without a slot", actions: ["play"] },
  denied: { title: "No video", actions: ["play"] },
  gone: { title: "Stopped", actions: ["play"] },
  crashed: { title: "Crashed", actions: ["comeBack"] },
  failed: { title: "No answer", actions: ["play", "block"] },
};

/** In these, the video plays for as long as the edge hands it out. */
const WITH_VIDEO = ["playing", "anyway"];

/** These show something about the video. */
const ABOUT_VIDEO = ["block", "watchAnyway"];

export class Screen {
  constructor({ userId, device, onChange, onSaid, onLease }) {
    Object.assign(this, { userId, device, onChange, onLease });
    this.say = (text, kind) => onSaid(device, text, kind);
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
      onFailed: (details) => this.say(`its video failed: ${details}`, "refused"),
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

  /** The player was killed and started anew: its stream has the name that it had. */
  comeBack() {
    return this.play();
  }

  /** `fetch` of its client; it fails as under an ad blocker where that is asked for. */
  async call(...request) {
    if (this.isBlocked) throw new TypeError("The call is blocked.");
    return fetch(...request);
  }

  listen() {
    const { stream } = this;
    stream.addEventListener("token", ({ detail }) => {
      if (!detail.playbackToken) return; // the edge is asked with the last one, and says why not
      this.playbackToken = detail.playbackToken;
      if (this.state === "cut") this.show("playing");
    });
    stream.addEventListener("admitted", ({ detail }) => {
      this.wholeLeaseMs = detail.expiresInSeconds * 1000;
      this.show("playing");
      this.say(`admitted, stream ${detail.streamCount} of ${detail.maxStreams}`, "admitted");
      this.onLease(detail.expiresInSeconds);
    });
    stream.addEventListener("refused", ({ detail }) => {
      this.show("refused", "Watching now:", detail.streams);
      this.say(`403, ${detail.detail}`, "refused");
    });
    stream.addEventListener("gone", ({ detail }) => {
      this.show("gone", "Another screen took this slot.");
      this.say(`410, ${detail.title?.toLowerCase() ?? "gone"}`, "refused");
    });
  }

  async play(options) {
    this.show("starting");
    try {
      await this.stream.start(options);
    } catch (error) {
      this.show("failed", error.message);
      this.say(error.message, "refused");
    }
    this.onChange();
  }

  async pause() {
    this.show("off", "Paused: the slot was given back.");
    const isTold = await this.stream.end();
    this.say(isTold ? "ended its stream" : "cannot end its stream: the lease will", "ended");
    this.onChange();
  }

  /** An ad blocker comes, or goes: the player does not notice. */
  block() {
    this.isBlocked = !this.isBlocked;
    this.label(this.part('[data-action="block"]'), this.isBlocked ? "Unblock calls" : "Block calls");
    this.say(this.isBlocked ? "its calls are blocked" : "its calls go through again", "ended");
    this.tick();
  }

  /** A player that does not care for the answer. */
  watchAnyway() {
    this.show("anyway");
    this.say("asks the edge all the same", "ended");
  }

  /** The edge gives nothing more: the token has expired, or there was none. */
  cutOff(reason) {
    this.show(this.state === "anyway" ? "denied" : "cut", `The edge said 403: ${reason}.`);
    this.say(`403 of the edge: ${reason}`, "refused");
  }

  crash() {
    this.slotIsBackAt = Date.now() + this.stream.leaseMs;
    this.stream.abandon();
    this.show("crashed");
    this.say("crashed, and says nothing any more", "ended");
  }

  /** A crashed screen's slot is back when the service no longer lists it. */
  showSlots(streams) {
    if (this.state !== "crashed" || this.isSlotBack) return;
    const isListed = streams.some(({ streamId }) => streamId === this.stream.streamId);
    if (isListed) return;
    this.isSlotBack = true;
    this.say("its slot is free again", "admitted");
  }

  /** What is left of the lease: as long as heartbeats come it is filled up again and again. */
  tick() {
    const isCrashed = this.state === "crashed" && !this.isSlotBack;
    const leftMs = isCrashed ? Math.max(0, this.slotIsBackAt - Date.now()) : this.stream.leaseMs;
    const seconds = Math.ceil(leftMs / 1000);
    if (this.state === "playing") {
      this.setDetail(`${this.isBlocked ? "Calls blocked. " : ""}Lease: ${seconds} s`);
    }
    if (isCrashed) this.setDetail(seconds > 0 ? "Its slot comes back in" : "Its slot comes back after the grace");
    if (this.state === "crashed" && this.isSlotBack) this.setDetail("Its slot is free again.");
    setText(this.part(".countdown"), isCrashed && seconds > 0 ? `${seconds} s` : "");
    this.part(".lease").style.width = `${(100 * leftMs) / (this.wholeLeaseMs ?? 1)}%`;
  }

  show(state, detail = "", holders = []) {
    this.state = state;
    this.isSlotBack = false;
    this.element.dataset.state = state;
    this.part(".state").textContent = STATES[state].title;
    this.setDetail(detail);
    const hadFocus = this.element.contains(document.activeElement);
    for (const button of this.element.querySelectorAll("[data-action]")) {
      const { action } = button.dataset;
      button.hidden = !STATES[state].actions.includes(action) || (unplayable && ABOUT_VIDEO.includes(action));
    }
    this.part(".holders").replaceChildren(...holders.map((holder) => this.holder(holder)));
    if (hadFocus) this.part("[data-action]:not([hidden])").focus(); // not lost with a button that went
    if (WITH_VIDEO.includes(state)) this.video.play();
    else this.video.stop();
    this.tick();
  }

  holder({ streamId, device }) {
    const line = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Stop it there, watch here";
    button.setAttribute("aria-label", `Stop it on ${device}, watch on ${this.device}`);
    button.addEventListener("click", () => this.play({ replaces: streamId }));
    line.append(device ?? streamId, button);
    return line;
  }

  setDetail(text) {
    setText(this.part(".detail"), text);
  }
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
