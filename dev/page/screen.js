/** One screen of the household: a player with as little in it as shows what the client does for it. */

/** What each state shows, and what can be done in it. */
const STATES = {
  off: { title: "Off", actions: ["play"] },
  starting: { title: "Starting…", actions: ["pause"] },
  playing: { title: "Playing", actions: ["pause", "crash"] },
  refused: { title: "Every slot is taken", actions: ["play"] },
  gone: { title: "Stopped", actions: ["play"] },
  crashed: { title: "Crashed", actions: ["comeBack"] },
  failed: { title: "No answer", actions: ["play"] },
};

export class Screen {
  constructor({ limiter, userId, device, onChange, onSaid, onLease }) {
    Object.assign(this, { limiter, userId, device, onChange, onLease });
    this.say = (text, kind) => onSaid(device, text, kind);
    this.element = document.getElementById("screen").content.firstElementChild.cloneNode(true);
    this.element.dataset.device = device;
    this.element.setAttribute("aria-label", device);
    this.part("h2").textContent = device;
    for (const button of this.element.querySelectorAll("[data-action]")) {
      button.addEventListener("click", () => this[button.dataset.action]());
      button.setAttribute("aria-label", `${button.textContent}: ${device}`);
    }
    this.show("off", "Press play.");
    setInterval(() => this.tick(), 200);
  }

  part(selector) {
    return this.element.querySelector(selector);
  }

  play(options) {
    return this.start(this.limiter.stream({ userId: this.userId, device: this.device }), options);
  }

  /** The player was killed and started anew: it still knows the name of its stream. */
  comeBack() {
    const { streamId } = this.stream;
    return this.start(this.limiter.stream({ userId: this.userId, device: this.device, streamId }));
  }

  async start(stream, options) {
    this.stream = stream;
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
    this.show("starting");
    try {
      await stream.start(options);
    } catch (error) {
      this.show("failed", error.message);
      this.say(error.message, "refused");
    }
    this.onChange();
  }

  async pause() {
    this.show("off", "Paused: the slot was given back.");
    await this.stream.end();
    this.say("ended its stream", "ended");
    this.onChange();
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
    const leftMs = isCrashed ? Math.max(0, this.slotIsBackAt - Date.now()) : (this.stream?.leaseMs ?? 0);
    const seconds = Math.ceil(leftMs / 1000);
    if (this.state === "playing") this.setDetail(`Lease: ${seconds} s`);
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
      button.hidden = !STATES[state].actions.includes(button.dataset.action);
    }
    this.part(".holders").replaceChildren(...holders.map((holder) => this.holder(holder)));
    if (hadFocus) this.part("[data-action]:not([hidden])").focus(); // not lost with a button that went
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
