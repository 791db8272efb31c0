import assert from "node:assert/strict";
import { test } from "node:test";

import { attach } from "../players/hls.js";
import { UNAVAILABLE, FakeVideo, FULL, GONE, holdWith, player, settled } from "./fakes.js";

const HEADER = "cta-common-access-token";
const URL_OF_FILM = "https://cdn.example.com/film.m3u8";

/** The parts of hls.js that are used: its loaders, and its events. */
class FakeHls {
  media = null;
  url = URL_OF_FILM;
  levels = [];
  calls = [];
  sent = [];
  aborted = 0;
  edge = () => ({ code: 200 }); // answers a request
  #listeners = {};

  constructor() {
    const hls = this;
    this.config = {
      /** A loader of hls.js: it can be used once, and keeps its statistics in one object. */
      loader: class {
        stats = { aborted: false, loading: { start: 0 } };

        constructor(config) {
          this.config = config;
        }

        load(context, policy, callbacks) {
          if (this.stats.loading.start) throw new Error("Loader can only be used once.");
          this.stats.loading.start = 1;
          this.callbacks = callbacks;
          hls.sent.push({ ...context, config: this.config });
          const { code, reason } = hls.edge(context);
          if (code === undefined) return; // it is on its way
          const details = new Response(null, { status: code, headers: reason ? { "x-playback": reason } : {} });
          this.stats.code = code;
          if (code === 200) callbacks.onSuccess({ code }, this.stats, context, details);
          else callbacks.onError({ code }, context, details, this.stats);
        }

        abort() {
          hls.aborted += 1;
          this.callbacks.onAbort(this.stats, null, null);
        }

        destroy() {
          this.stats = null;
        }

        getCacheAge() {
          return 7;
        }
      },
    };
  }

  on(kind, listener) {
    (this.#listeners[kind] ??= new Set()).add(listener);
  }

  off(kind, listener) {
    this.#listeners[kind].delete(listener);
  }

  trigger(kind, data = {}) {
    for (const listener of this.#listeners[kind] ?? []) listener(kind, data);
  }

  attachMedia(media) {
    this.trigger("hlsMediaAttaching", { media });
    this.media = media;
  }

  /** Request something as hls.js does; return the loader and the callbacks. */
  request(type, more = {}) {
    const Loader = (type === "fragment" ? this.config.fLoader : this.config.pLoader) ?? this.config.loader;
    const loader = new Loader(this.config);
    const { stats } = loader;
    const callbacks = [];
    const callback = (kind) => (...values) => callbacks.push([kind, ...values]);
    const context = { url: URL_OF_FILM, type, ...more };
    loader.load(context, {}, {
      onSuccess: callback("success"),
      onError: callback("error"),
      onTimeout: callback("timeout"),
      onAbort: callback("abort"),
    });
    return { loader, stats, callbacks, context, kinds: () => callbacks.map(([kind]) => kind) };
  }

  startLoad() {
    this.calls.push("startLoad");
  }

  loadSource(url) {
    this.calls.push(url);
  }
}

/** hls.js attached to a stream whose first answer is this one. */
function attached(options = {}, answer = holdWith("first")) {
  const playing = player();
  playing.service.answer(answer);
  const hls = new FakeHls();
  const attachment = attach(hls, playing.stream, { clock: playing.clock, ...options });
  return { ...playing, hls, attachment };
}

test("a manifest asks for a slot and is requested with its token", async () => {
  const { hls, service } = attached();
  const { kinds } = hls.request("manifest");
  assert.deepEqual(hls.sent, []);
  await settled();
  assert.deepEqual(service.paths, ["/api/stream/start"]);
  assert.equal(hls.sent[0].headers[HEADER], "first");
  assert.deepEqual(kinds(), ["success"]);
});

test("the requests of a refused film wait, and are sent when it is admitted", async () => {
  const { hls, service, stream } = attached({}, FULL);
  hls.request("manifest");
  hls.request("fragment");
  await settled();
  assert.deepEqual(hls.sent, []);
  service.answer(holdWith("token"));
  await stream.start({ replaces: "tv-1" });
  await settled();
  assert.deepEqual(hls.sent.map(({ headers }) => headers[HEADER]), ["token", "token"]);
});

test("a segment's request has the newest token beside the page's own headers", async () => {
  const { hls, service, clock } = attached();
  hls.request("manifest");
  await settled();
  service.answer(holdWith("second"));
  await clock.pass(30_000);
  hls.request("fragment", { headers: { "x-own": "1" } });
  await settled();
  assert.deepEqual(hls.sent[1].headers, { "x-own": "1", [HEADER]: "second" });
});

test("a token is in the query with that option, and the player gets back its own request", async () => {
  const { hls } = attached({ tokenIn: "query" });
  const { callbacks, context } = hls.request("manifest");
  await settled();
  assert.deepEqual([hls.sent[0].url, hls.sent[0].headers], [`${URL_OF_FILM}?CAT=first`, undefined]);
  assert.equal(callbacks[0][3], context);
});

test("a token in a cookie lets both loaders of hls.js send it, whatever the page sets up", async () => {
  globalThis.document = {};
  globalThis.location = new URL("https://watch.example.com");
  try {
    const { hls } = attached({ tokenIn: "cookie" });
    hls.config.xhrSetup = (xhr, url) => (xhr.url = url);
    hls.request("manifest");
    await settled();
    const [{ config, headers, url }] = hls.sent;
    assert.deepEqual([url, headers], [URL_OF_FILM, undefined]);
    const xhr = {};
    config.xhrSetup(xhr, "own");
    assert.deepEqual(xhr, { withCredentials: true, url: "own" });
    const init = { headers: { range: "bytes=0-1" }, credentials: "same-origin" };
    assert.equal(config.fetchSetup({ url: URL_OF_FILM }, init).credentials, "include");
    hls.config.fetchSetup = (_, { credentials }) => credentials;
    hls.request("manifest");
    await settled();
    assert.equal(hls.sent[1].config.fetchSetup({}, init), "include");
    await settled();
  } finally {
    delete globalThis.document;
    delete globalThis.location;
  }
});

test("a token that the edge refuses as expired leads to one heartbeat and one repeat, unseen by hls.js", async () => {
  const { hls, service } = attached();
  hls.request("manifest");
  await settled();
  service.answer(holdWith("second"));
  hls.edge = ({ headers }) => (headers[HEADER] === "first" ? { code: 403, reason: "expired" } : { code: 200 });
  const { kinds, callbacks, stats } = hls.request("fragment");
  await settled();
  assert.deepEqual(service.paths, ["/api/stream/start", "/api/stream/heartbeat"]);
  assert.deepEqual([kinds(), stats.code], [["success"], 200]);
  assert.equal(callbacks[0][2], stats);
});

test("a token that is refused as expired again is an error", async () => {
  const { hls, service } = attached();
  hls.edge = () => ({ code: 403, reason: hls.sent.length < 5 ? "expired" : "path" });
  const { kinds } = hls.request("manifest");
  await settled();
  assert.deepEqual(service.paths, ["/api/stream/start", "/api/stream/heartbeat"]);
  assert.deepEqual(kinds(), ["error"]);
});

for (const answer of [{ code: 403, reason: "path" }, { code: 403 }, { code: 404 }]) {
  test(`an answer about anything but an expired token is an error at once: ${JSON.stringify(answer)}`, async () => {
    const { hls, service } = attached();
    hls.edge = () => answer;
    const { kinds, stats, callbacks } = hls.request("manifest");
    await settled();
    assert.deepEqual([kinds(), service.paths], [["error"], ["/api/stream/start"]]);
    assert.deepEqual([callbacks[0][1].code, callbacks[0][4]], [answer.code, stats]);
  });
}

test("a request that is aborted or destroyed while it waits is never sent", async () => {
  const { hls, service, stream } = attached({}, FULL);
  const aborted = hls.request("manifest");
  const destroyed = hls.request("fragment");
  await settled();
  aborted.loader.abort();
  destroyed.loader.destroy();
  service.answer(holdWith("token"));
  await stream.start();
  await settled();
  assert.deepEqual([hls.sent, aborted.kinds(), destroyed.kinds()], [[], ["abort"], []]);
  assert.equal(aborted.stats.aborted, true);
});

test("a request that is aborted on its way is reported once, and not repeated if its token expired", async () => {
  const { hls, service } = attached();
  hls.edge = () => ({});
  const { loader, kinds } = hls.request("manifest");
  await settled();
  loader.abort();
  assert.deepEqual([hls.aborted, kinds()], [1, ["abort"]]);
  for (const answer of [holdWith("second"), UNAVAILABLE]) {
    service.answer(answer);
    hls.sent = [];
    hls.edge = () => {
      queueMicrotask(() => other.loader.destroy()); // while the heartbeat is on its way
      return { code: 403, reason: "expired" };
    };
    const other = hls.request("manifest");
    await settled();
    assert.deepEqual([hls.sent.length, other.kinds()], [1, []]);
  }
});

test("a video that hls.js gets later waits for its slot, and stops when that is taken away", async () => {
  const { hls, service, clock } = attached();
  const video = new FakeVideo();
  hls.attachMedia(video);
  video.play();
  await settled();
  assert.deepEqual([video.paused, service.paths], [false, ["/api/stream/start"]]);
  service.answer(GONE);
  await clock.pass(30_000);
  assert.equal(video.paused, true);
});

/** Let a lease expire unanswered, and grant another one. */
async function outage({ service, clock }) {
  service.answer(new TypeError("fetch failed"));
  await clock.pass(90_000);
  service.answer(holdWith("next"));
  await clock.pass(10_000);
}

/** hls.js after its first manifest, whose network fails permanently. */
async function failed(type = "networkError") {
  const all = attached();
  all.hls.request("manifest");
  await settled();
  all.hls.trigger("hlsError", { fatal: true, type });
  return all;
}

test("hls.js that gave up during an outage is started again with the next slot, and once", async () => {
  const all = await failed();
  await outage(all);
  assert.deepEqual(all.hls.calls, [URL_OF_FILM]); // it did not even have the manifest
  all.hls.levels = [{}];
  all.hls.trigger("hlsError", { fatal: true, type: "networkError" });
  all.hls.trigger("hlsError", { fatal: false, type: "networkError" });
  await outage(all);
  await outage(all);
  assert.deepEqual(all.hls.calls, [URL_OF_FILM, "startLoad"]);
});

test("hls.js that loads another film meanwhile is not started again", async () => {
  const all = await failed();
  all.hls.trigger("hlsManifestLoading");
  await outage(all);
  assert.deepEqual(all.hls.calls, []);
});

test("hls.js that cannot play a film is not started again", async () => {
  const all = await failed("mediaError");
  await outage(all);
  assert.deepEqual(all.hls.calls, []);
});

test("a segment does not ask for a slot", async () => {
  const { hls, service } = attached();
  hls.request("fragment");
  await settled();
  assert.deepEqual([hls.sent, service.paths], [[], []]);
});

for (const [how, end] of [
  ["let go of", ({ attachment }) => attachment.detach()],
  ["destroyed", ({ hls }) => hls.trigger("hlsDestroying")],
]) {
  test(`hls.js that is ${how} has its own loaders again, and controls its video alone`, async () => {
    const all = await failed();
    const { hls, stream } = all;
    end(all);
    await stream.end();
    const video = new FakeVideo();
    hls.attachMedia(video);
    video.play();
    hls.request("manifest");
    await settled();
    assert.deepEqual([hls.sent.length, hls.sent.at(-1).headers, video.paused, stream.state], [2, undefined, false, "ended"]);
    await stream.start();
    assert.deepEqual(hls.calls, []);
  });
}

test("a loader of the page's own is used for its purpose", async () => {
  const { hls } = (() => {
    const { stream, clock } = player();
    const hls = new FakeHls();
    hls.config.fLoader = class extends hls.config.loader {
      load(context, ...more) {
        super.load({ ...context, own: true }, ...more);
      }
    };
    attach(hls, stream, { clock });
    return { hls };
  })();
  hls.request("manifest");
  const { loader } = hls.request("fragment");
  await settled();
  assert.deepEqual(hls.sent.map(({ own }) => own), [undefined, true]);
  assert.deepEqual([loader.getCacheAge(), loader.getResponseHeader("age")], [7, null]);
});
