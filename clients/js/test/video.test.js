import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { attach } from "../players/video.js";
import { UNAVAILABLE, FakeVideo, FULL, HOLD, holdWith, player, settled } from "./fakes.js";

const FILM = "https://cdn.example.com/film.m3u8";

class FakeElement {
  attributes = new Map();
  onChange = () => {};

  getAttribute(name) {
    return this.attributes.get(name) ?? null;
  }

  hasAttribute(name) {
    return this.attributes.has(name);
  }

  setAttribute(name, value) {
    this.attributes.set(name, value);
    queueMicrotask(() => this.onChange());
  }

  removeAttribute(name) {
    this.attributes.delete(name);
    queueMicrotask(() => this.onChange());
  }
}

/** A <video> with attributes, which loads a new source in a task of its own; `loaded` has the sources. */
class FakeElementVideo extends FakeVideo {
  autoplay = false;
  currentTime = 0;
  error = null;
  loaded = [];
  loads = 0;
  sources = [];
  #element = new FakeElement();
  #isToLoad = false;

  constructor() {
    super();
    this.#element.onChange = () => this.onChange();
    for (const method of ["getAttribute", "hasAttribute", "removeAttribute"]) {
      this[method] = (...values) => this.#element[method](...values);
    }
  }

  onChange() {}

  setAttribute(name, value) {
    this.#element.setAttribute(name, value);
    this.load();
  }

  querySelectorAll() {
    return this.sources;
  }

  get currentSrc() {
    return this.getAttribute("src") ?? "";
  }

  /** As in a browser, a loaded film is paused at its start, and the previous film has no more events. */
  load() {
    this.loads += 1;
    if (!this.paused) {
      this.paused = true;
      this.forget();
    }
    this.error = null;
    this.currentTime = 0;
    if (this.#isToLoad) return;
    this.#isToLoad = true;
    setImmediate(() => {
      this.#isToLoad = false;
      const source = this.getAttribute("src") ?? this.sources.map((one) => one.getAttribute("src")).find(Boolean);
      if (source) this.loaded.push(source);
    });
  }

  fail() {
    this.error = { code: 2 };
    this.dispatchEvent(new Event("error"));
  }
}

before(() => {
  globalThis.document = {};
  globalThis.location = new URL("https://watch.example.com");
  globalThis.MutationObserver = class {
    constructor(callback) {
      this.callback = callback;
    }

    observe(video) {
      this.video = video;
      for (const element of [video, ...video.sources]) element.onChange = this.callback;
    }

    disconnect() {
      for (const element of [this.video, ...this.video.sources]) element.onChange = () => {};
    }
  };
});

after(() => {
  delete globalThis.document;
  delete globalThis.location;
  delete globalThis.MutationObserver;
});

/** A video with this source that is attached to a stream, and the errors that its page gets. */
function attached({ video = new FakeElementVideo(), answer = holdWith("first"), source = FILM } = {}) {
  const playing = player();
  playing.service.answer(answer);
  if (source) video.setAttribute("src", source);
  const attachment = attach(video, playing.stream, { clock: playing.clock });
  const errors = [];
  video.addEventListener("error", () => errors.push(video.currentTime));
  return { ...playing, video, attachment, errors };
}

/** The same, and it plays. */
async function playing(more) {
  const all = attached(more);
  all.video.play();
  await settled();
  assert.deepEqual([all.video.paused, all.video.loaded], [false, [FILM]]);
  all.video.currentTime = 5;
  return all;
}

test("an existing source is not requested before the video has a slot and a cookie", async () => {
  const { video, service } = attached();
  await settled();
  assert.deepEqual([video.loaded, service.paths], [[], []]);
  video.play();
  await settled();
  assert.deepEqual([video.loaded, video.paused], [[FILM], false]);
  assert.match(globalThis.document.cookie, /^CAT=first;/);
});

test("a later source waits as well, even if its page plays it at once", async () => {
  const { video } = attached({ source: "", answer: FULL });
  video.setAttribute("src", FILM);
  video.play();
  await settled();
  assert.deepEqual([video.loaded, video.paused], [[], true]);
  const admitted = attached({ source: "" });
  admitted.video.setAttribute("src", FILM);
  admitted.video.play();
  await settled();
  assert.deepEqual([admitted.video.loaded, admitted.video.paused], [[FILM], false]);
});

test("sources in elements of their own wait as well", async () => {
  const video = new FakeElementVideo();
  for (const url of ["/film.m3u8", "/film.mp4"]) {
    const element = new FakeElement();
    element.setAttribute("src", url);
    video.sources.push(element);
  }
  attached({ video, source: "" });
  video.load();
  await settled();
  assert.deepEqual(video.loaded, []);
  video.play();
  await settled();
  assert.deepEqual(video.loaded, ["/film.m3u8"]);
  assert.deepEqual(video.sources.map((one) => one.getAttribute("src")), ["/film.m3u8", "/film.mp4"]);
});

test("a video with autoplay asks for a slot without a press of play", async () => {
  const video = new FakeElementVideo();
  video.autoplay = true;
  attached({ video });
  await settled();
  assert.deepEqual(video.loaded, [FILM]);
});

test("a refused video gets its source once it takes another stream's slot", async () => {
  const { video, service, stream } = attached({ answer: FULL });
  video.play();
  await settled();
  assert.deepEqual([video.loaded, stream.state], [[], "refused"]);
  service.answer(HOLD);
  await stream.start({ replaces: "tv-1" });
  await settled();
  assert.deepEqual([video.loaded, video.paused], [[FILM], false]);
});

test("the next film of a video that has a slot is loaded at once", async () => {
  const { video } = await playing();
  video.setAttribute("src", "/next.m3u8");
  await settled();
  assert.deepEqual(video.loaded, [FILM, "/next.m3u8"]);
});

test("a film that has ended is requested again only with another slot", async () => {
  const { video, clock, stream } = await playing();
  video.end();
  await clock.pass(1_000);
  assert.deepEqual([stream.state, video.currentSrc], ["ended", ""]);
  video.play();
  await settled();
  assert.deepEqual([video.loaded, video.paused], [[FILM, FILM], false]);
});

test("a video whose pause freed its slot keeps its picture", async () => {
  const { video, stream } = await playing();
  video.pause();
  await settled();
  await stream.end();
  assert.deepEqual([video.currentSrc, video.currentTime], [FILM, 5]);
});

test("a failure counts as an expired token once: after a heartbeat the video continues where it stopped", async () => {
  const { video, service, errors } = await playing();
  service.answer(holdWith("second"));
  video.fail();
  await settled();
  assert.deepEqual(service.paths, ["/api/stream/start", "/api/stream/heartbeat"]);
  assert.deepEqual([video.loaded, video.paused, video.currentTime, errors], [[FILM, FILM], false, 5, []]);
  video.fail();
  await settled();
  assert.deepEqual([service.paths.length, video.loaded.length, errors], [2, 2, [5]]);
});

test("a failure at another position counts as an expired token again", async () => {
  const { video, service, errors } = await playing();
  service.answer(holdWith("second"), holdWith("third"));
  video.fail();
  await settled();
  video.currentTime = 15;
  video.fail();
  await settled();
  assert.deepEqual([video.loaded.length, video.currentTime, errors], [3, 15, []]);
});

test("a failure without a newer token is passed to the page", async () => {
  const { video, service, errors } = await playing();
  service.answer(UNAVAILABLE);
  video.fail();
  await settled();
  assert.deepEqual([video.loaded, errors], [[FILM], [5]]);
});

/** Let the lease expire unanswered, and grant another one after this. */
async function outage({ service, clock }, meanwhile = () => {}) {
  service.answer(new TypeError("fetch failed"));
  await clock.pass(90_000);
  meanwhile();
  await settled();
  service.answer(holdWith("next"));
  await clock.pass(10_000);
}

test("a video that failed without a slot continues where it stopped with the next one", async () => {
  const all = await playing();
  const { video, service, errors } = all;
  service.answer(holdWith("second"));
  video.fail();
  await settled();
  const { loads } = video;
  await outage(all, () => video.fail());
  assert.deepEqual([video.paused, video.currentTime, video.loads - loads, errors], [false, 5, 1, []]);
});

test("a video with enough in its buffer continues after an outage without loading again", async () => {
  const all = await playing();
  await outage(all);
  assert.deepEqual([all.video.loaded, all.video.paused, all.video.currentTime], [[FILM], false, 5]);
});

test("a video that is played at the moment of its admission plays on", async () => {
  const { video, stream } = attached();
  stream.addEventListener("token", () => video.play());
  await stream.start();
  await settled();
  assert.deepEqual([video.paused, video.loaded], [false, [FILM]]);
});

test("the failure of one of several sources is left to the browser", async () => {
  const { video, service, errors } = await playing();
  const event = new Event("error");
  Object.defineProperty(event, "target", { value: new FakeElement() });
  video.dispatchEvent(event);
  await settled();
  assert.deepEqual([service.paths, errors], [["/api/stream/start"], [5]]);
});

test("a detached video has its source back, and its errors are its page's", async () => {
  const { video, attachment, errors } = attached();
  attachment.detach();
  await settled();
  assert.deepEqual(video.loaded, [FILM]);
  video.fail();
  video.setAttribute("src", "/next.m3u8");
  await settled();
  assert.deepEqual([video.loaded, errors], [[FILM, "/next.m3u8"], [0]]);
});
