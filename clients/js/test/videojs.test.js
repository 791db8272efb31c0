import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { attach } from "../players/videojs.js";
import { FakeVideo, GONE, HOLD, LOST, holdWith, player, settled } from "./fakes.js";

const URL_ = "https://cdn.example.com/1.mp4";
const KINDS = ["readystatechange", "load", "loadend"];

/** A request that only a test answers. */
class FakeRequest extends EventTarget {
  static sent = [];
  status = 0;
  opened = [];
  headers = {};
  #answerHeaders = {};

  open(method, url) {
    this.opened.push(`${method} ${url}`);
    this.status = 0;
    this.headers = {};
  }

  setRequestHeader(name, value) {
    this.headers[name] = value;
  }

  send() {
    FakeRequest.sent.push(this);
  }

  abort() {
    this.isAborted = true;
  }

  getResponseHeader(name) {
    return this.#answerHeaders[name] ?? null;
  }

  answer(status, headers = {}) {
    this.status = status;
    this.#answerHeaders = headers;
    for (const kind of KINDS) this.dispatchEvent(new Event(kind));
  }
}

/** A Video.js player, as if its tech were a <video>. */
class FakeVideoJs {
  video = new FakeVideo();
  errors = [];
  #listeners = new Map();
  #vhs;
  isReady = true;
  global = new Set(["a hook of the page"]);

  paused = () => this.video.paused;
  ended = () => this.video.ended;
  play = () => this.video.play();
  pause = () => this.video.pause();
  tech = () => (this.isReady ? { vhs: this.#vhs } : undefined);

  constructor() {
    for (const kind of ["play", "pause", "ended"]) {
      this.video.addEventListener(kind, () => this.#trigger(kind));
    }
  }

  on(kind, listener) {
    this.#listeners.set(listener, kind);
  }

  off(kind, listener) {
    assert.equal(this.#listeners.get(listener), kind);
    this.#listeners.delete(listener);
  }

  /** A failing listener stops nothing, and is an error in the console. */
  #trigger(kind) {
    for (const [listener, listened] of this.#listeners) {
      try {
        if (listened === kind) listener({ type: kind });
      } catch (error) {
        this.errors.push(error.message);
      }
    }
  }

  /** A source makes a new `vhs`, whose hooks are set before its first request. */
  src() {
    const hooks = this.global;
    const xhr = (options, callback) => {
      const request = options.xhr ?? new FakeRequest();
      request.hooks = xhr.hooks ?? hooks;
      request.options = options;
      request.seen = [];
      request.open("GET", options.uri);
      for (const kind of KINDS) request.addEventListener(kind, () => request.seen.push(kind));
      request.addEventListener("load", () => callback(request.status));
      for (const name of Object.keys(options.headers ?? {})) request.setRequestHeader(name, options.headers[name]);
      request.send();
      return request;
    };
    this.#vhs = { xhr };
    this.#trigger("xhr-hooks-ready");
    return { vhs: this.#vhs, xhr };
  }

  /** Request something from the source. */
  createRequest(options = {}) {
    const statuses = [];
    const request = this.#vhs.xhr({ uri: URL_, requestType: "segment", ...options }, (status) => statuses.push(status));
    return { request, statuses };
  }
}

beforeEach(() => {
  FakeRequest.sent = [];
  globalThis.XMLHttpRequest = FakeRequest;
});

function attached(options) {
  const all = player();
  const vjs = new FakeVideoJs();
  all.service.answer(holdWith("first"));
  return { ...all, vjs, attachment: attach(vjs, all.stream, options) };
}

/** The same, and it plays. */
async function playing(options) {
  const all = attached(options);
  all.vjs.src();
  all.vjs.play();
  await settled();
  assert.equal(all.vjs.paused(), false);
  return all;
}

test("a request for video waits for a slot, and carries the token beside its own headers", async () => {
  const { service, vjs } = attached();
  vjs.src();
  const { request } = vjs.createRequest({ headers: { Range: "bytes=0-9" } });
  await settled();
  assert.deepEqual([service.requests, FakeRequest.sent], [[], []]);
  vjs.play();
  await settled();
  assert.deepEqual(FakeRequest.sent, [request]);
  assert.deepEqual(request.headers, { Range: "bytes=0-9", "cta-common-access-token": "first" });
});

test("no request asks for a slot, because Video.js plays first, with autoplay too", async () => {
  const { service, stream, vjs } = await playing();
  service.answer(GONE);
  await stream.renew();
  vjs.src();
  vjs.createRequest({ requestType: "hls-playlist" });
  await settled();
  assert.deepEqual(service.paths, ["/api/stream/start", "/api/stream/heartbeat"]);
});

test("requests for keys and anything else neither wait nor carry a token", async () => {
  const { vjs } = attached();
  vjs.src();
  for (const requestType of ["segment-key", "content-steering-manifest", "dash-clock-sync"]) {
    const { request } = vjs.createRequest({ requestType });
    assert.equal(FakeRequest.sent.at(-1), request);
    assert.deepEqual(request.headers, {});
  }
});

test("a token is in the query with that option", async () => {
  const { vjs } = await playing({ tokenIn: "query" });
  const { request } = vjs.createRequest({ uri: `${URL_}?CAT=old` });
  await settled();
  assert.deepEqual([request.opened.at(-1), request.headers], [`GET ${URL_}?CAT=first`, {}]);
});

test("a request for video carries cookies to another origin if the token is a cookie", async () => {
  globalThis.document = {};
  globalThis.location = new URL("https://watch.example.com/film");
  try {
    const { vjs } = await playing({ tokenIn: "cookie" });
    const { request } = vjs.createRequest();
    await settled();
    assert.deepEqual([request.withCredentials, request.headers], [true, {}]);
  } finally {
    delete globalThis.document;
    delete globalThis.location;
  }
});

test("a request is sent without a token if tokens are off", async () => {
  const { service, vjs } = attached();
  service.answer(HOLD);
  vjs.src();
  vjs.play();
  const { request } = vjs.createRequest();
  await settled();
  assert.deepEqual([FakeRequest.sent, request.headers], [[request], {}]);
});

test("a request that is aborted while it waits is never sent", async () => {
  const { vjs } = attached();
  vjs.src();
  const { request } = vjs.createRequest();
  request.abort();
  vjs.play();
  await settled();
  assert.deepEqual([request.isAborted, FakeRequest.sent], [true, []]);
});

test("a request that the edge refused as expired is repeated with a new token, and its player sees one answer", async () => {
  const { service, vjs } = await playing();
  const { request, statuses } = vjs.createRequest({ headers: { Range: "bytes=0-9" } });
  await settled();
  service.answer(holdWith("second"));
  request.answer(403, { "x-playback": "expired" });
  await settled();
  assert.deepEqual(service.paths, ["/api/stream/start", "/api/stream/heartbeat"]);
  assert.deepEqual([FakeRequest.sent.length, request.seen], [2, []]);
  assert.deepEqual(request.headers, { Range: "bytes=0-9", "cta-common-access-token": "second" });
  request.answer(200);
  assert.deepEqual([statuses, request.seen], [[200], KINDS]);
});

test("a request is repeated once: its player sees the second refusal", async () => {
  const { vjs } = await playing();
  const { request, statuses } = vjs.createRequest();
  await settled();
  request.answer(403, { "x-playback": "expired" });
  await settled();
  request.answer(403, { "x-playback": "expired" });
  await settled();
  assert.deepEqual([statuses, FakeRequest.sent.length], [[403], 2]);
});

test("a request that is aborted while its token is renewed is not repeated", async () => {
  const { vjs } = await playing();
  const { request, statuses } = vjs.createRequest();
  await settled();
  request.answer(403, { "x-playback": "expired" });
  request.abort();
  await settled();
  assert.deepEqual([statuses, FakeRequest.sent.length], [[], 1]);
});

for (const [status, headers] of [
  [403, { "x-playback": "path" }],
  [403, {}],
  [404, { "x-playback": "expired" }],
]) {
  test(`an answer ${status} with ${JSON.stringify(headers)} goes to the player`, async () => {
    const { service, vjs } = await playing();
    const { request, statuses } = vjs.createRequest();
    await settled();
    request.answer(status, headers);
    await settled();
    assert.deepEqual([statuses, service.paths], [[status], ["/api/stream/start"]]);
  });
}

test("a wait counts neither as bandwidth nor towards a request's timeout", async () => {
  const { vjs } = attached();
  vjs.src();
  const { request } = vjs.createRequest({ timeout: 5000 });
  request.requestTime = 0; // as Video.js sets it when it has its request
  assert.deepEqual([request.options.timeout, request.timeout], [0, 5000]);
  vjs.play();
  await settled();
  assert.ok(request.requestTime > 0);
  request.dispatchEvent(new Event("timeout"));
  assert.equal(request.timedout, true);
  assert.equal(vjs.createRequest().request.timeout, 45_000);
});

test("a page's hooks stay, both those of one source and those of all", async () => {
  const { vjs } = await playing();
  assert.equal(vjs.createRequest().request.hooks, vjs.global);
  const own = new Set(["a hook of the page for this source"]);
  vjs.tech().vhs.xhr.hooks = own; // as Video.js keeps them
  assert.equal(vjs.createRequest().request.hooks, own);
});

test("each source waits for tokens, an existing one too", async () => {
  const { stream } = player();
  const vjs = new FakeVideoJs();
  vjs.src();
  attach(vjs, stream);
  vjs.createRequest();
  vjs.src();
  vjs.createRequest();
  await settled();
  assert.deepEqual(FakeRequest.sent, []);
});

test("a source that is set with its player is too early, and the console has a warning", () => {
  const { vjs } = attached();
  vjs.isReady = false;
  vjs.src();
  assert.deepEqual(vjs.errors, ["Set the source of Video.js after attach(), by player.src()."]);
});

test("a video stops with its lease and continues with the next", async () => {
  const { clock, service, vjs } = await playing();
  service.answer(LOST);
  await clock.pass(90_000);
  assert.equal(vjs.paused(), true);
  service.answer(holdWith("second"));
  await clock.pass(10_000);
  assert.equal(vjs.paused(), false);
});

test("a detached player is as it was before", async () => {
  const { vjs, attachment } = attached();
  const { vhs, xhr } = vjs.src();
  attachment.detach();
  assert.equal(vhs.xhr, xhr);
  assert.equal(vjs.src().vhs.xhr({ uri: URL_ }, () => {}), FakeRequest.sent[0]);
});
