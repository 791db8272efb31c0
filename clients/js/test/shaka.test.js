import assert from "node:assert/strict";
import { test } from "node:test";

import { attach } from "../players/shaka.js";
import { FULL, FakeVideo, LOST, holdWith, player, settled } from "./fakes.js";

const [MANIFEST, SEGMENT, LICENSE, KEY] = [0, 1, 2, 6];
const SEGMENT_URI = "https://cdn.example.com/1.mp4";

/** A networking engine of Shaka that only passes requests through its filters. */
class FakeNetwork extends EventTarget {
  requestFilters = new Set();
  responseFilters = new Set();
  registerRequestFilter = (filter) => this.requestFilters.add(filter);
  unregisterRequestFilter = (filter) => this.requestFilters.delete(filter);
  registerResponseFilter = (filter) => this.responseFilters.add(filter);
  unregisterResponseFilter = (filter) => this.responseFilters.delete(filter);

  /** Pass a request through the filters; `isThrough` is set when it is through. */
  request(type, uri = SEGMENT_URI) {
    const request = { uris: [uri], headers: {}, allowCrossSiteCredentials: false };
    const passing = [...this.requestFilters].map((filter) => filter(type, request));
    const sent = { request, isThrough: false, abort: () => Promise.all(passing.map((operation) => operation.abort())) };
    sent.passed = Promise.all(passing.map((operation) => operation?.promise ?? operation));
    sent.passed.then(() => (sent.isThrough = true)).catch(() => {});
    return sent;
  }

  /** Refuse a request as the edge does; Shaka retries if it has an attempt left. */
  refuse(error) {
    this.dispatchEvent(Object.assign(new Event("retry"), { error }));
  }

  answer(uri = SEGMENT_URI) {
    for (const filter of this.responseFilters) filter(SEGMENT, { originalUri: uri });
  }
}

class FakeShaka extends EventTarget {
  network = new FakeNetwork();
  video = new FakeVideo();
  retries = 0;
  getNetworkingEngine = () => this.network;
  getMediaElement = () => this.video;
  retryStreaming = () => (this.retries += 1) > 0;

  #before = Promise.resolve();

  /** Load one film after the other. */
  async load(uri = "https://cdn.example.com/film.m3u8") {
    await this.#before;
    this.dispatchEvent(new Event("loading"));
    this.manifest = this.network.request(MANIFEST, uri);
    this.#before = this.manifest.passed.catch(() => {});
    try {
      await this.manifest.passed;
    } catch (error) {
      throw Object.assign(new Error("REQUEST_FILTER_ERROR"), { code: 1006, data: [error] });
    }
    this.dispatchEvent(new Event("loaded"));
    return "loaded";
  }

  async unload() {
    await this.#before;
    return "unloaded";
  }

  fail(error) {
    this.dispatchEvent(Object.assign(new Event("error"), { detail: error }));
    return error;
  }
}

/** The edge's refusal of a token, by default of an expired one. */
function refusal({ reason = "expired", code = 1001, status = 403, uri = SEGMENT_URI } = {}) {
  return { code, data: [uri, status, "", { "x-playback": reason }, SEGMENT, uri], handled: false };
}

function attached(options) {
  const all = player();
  const shaka = new FakeShaka();
  all.service.answer(holdWith("first"));
  return { ...all, shaka, attachment: attach(shaka, all.stream, options) };
}

/** The same, and its film plays. */
async function playing(options) {
  const all = attached(options);
  all.shaka.load();
  await settled();
  all.shaka.video.play();
  await settled();
  return all;
}

test("loading a film asks for a slot, and continues with its token", async () => {
  const { service, shaka } = attached();
  assert.equal(await shaka.load(), "loaded");
  assert.deepEqual(service.paths, ["/api/stream/start"]);
  assert.deepEqual(shaka.manifest.request.headers, { "cta-common-access-token": "first" });
});

test("only the manifest that a film loads first asks for a slot", async () => {
  const { service, shaka, stream } = await playing();
  await stream.end();
  const { length } = service.requests;
  const refresh = shaka.network.request(MANIFEST);
  const segment = shaka.network.request(SEGMENT);
  await settled();
  assert.equal(service.requests.length, length);
  assert.deepEqual([refresh.isThrough, segment.isThrough], [false, false]);
});

test("requests for keys, licences and local files neither wait nor carry a token", async () => {
  const { shaka } = attached();
  const sent = [
    shaka.network.request(KEY),
    shaka.network.request(LICENSE),
    shaka.network.request(SEGMENT, "offline:segment/1"),
    shaka.network.request(MANIFEST, "data:application/x-mpegurl,"),
  ];
  await settled();
  for (const { request, isThrough } of sent) {
    assert.equal(isThrough, true);
    assert.deepEqual(request.headers, {});
  }
});

test("with that option a token is in the query of each of a request's addresses", async () => {
  const { shaka } = await playing({ tokenIn: "query" });
  const { request } = shaka.network.request(SEGMENT, `${SEGMENT_URI}?CAT=old`);
  await settled();
  assert.deepEqual([request.uris, request.headers], [[`${SEGMENT_URI}?CAT=first`], {}]);
});

test("an abort does not wait for a token", async () => {
  const { shaka } = attached();
  const waiting = shaka.network.request(SEGMENT);
  await waiting.abort();
  assert.deepEqual(waiting.request.headers, {});
});

for (const [what, next] of [
  ["loaded", (shaka) => shaka.load("https://cdn.example.com/other.m3u8")],
  ["unloaded", (shaka) => shaka.unload()],
]) {
  test(`a film that waits for a slot is interrupted as by Shaka when another one is ${what}`, async () => {
    const { service, shaka } = attached();
    service.answer(FULL, holdWith("token"));
    const waiting = assert.rejects(shaka.load(), { code: 7000 });
    await settled();
    assert.equal(await next(shaka), what);
    await waiting;
  });
}

test("a load that fails for a reason of its own fails with it", async () => {
  const { shaka } = attached();
  shaka.network.registerRequestFilter(async () => {
    throw new Error("a filter of the page");
  });
  await assert.rejects(shaka.load(), { code: 1006 });
});

test("after an expired token, the next attempt and all other requests wait for one heartbeat", async () => {
  const { service, shaka, clock } = await playing();
  service.answer(holdWith("second"));
  shaka.network.refuse(refusal());
  shaka.network.refuse(refusal({ uri: "https://cdn.example.com/audio/1.mp4" }));
  const repeated = shaka.network.request(SEGMENT);
  await settled();
  assert.equal(repeated.request.headers["cta-common-access-token"], "second");
  assert.deepEqual(service.paths, ["/api/stream/start", "/api/stream/heartbeat"]);
  await clock.pass(0);
});

test("a film continues with a new token when Shaka has no attempt left, and its page sees that", async () => {
  const { service, shaka } = await playing();
  const { retries } = shaka;
  service.answer(holdWith("second"));
  const error = refusal();
  shaka.network.refuse(error);
  assert.equal(shaka.fail(error).handled, true);
  await settled();
  assert.equal(shaka.retries, retries + 1);
});

test("a request that is refused with its new token as well is an error", async () => {
  const { service, shaka } = await playing();
  shaka.fail(refusal());
  await settled();
  const { length } = service.requests;
  assert.equal(shaka.fail(refusal()).handled, false);
  await settled();
  assert.equal(service.requests.length, length);
  shaka.network.answer();
  assert.equal(shaka.fail(refusal()).handled, true);
});

test("each request is repeated once, however often its token changes in the query", async () => {
  const { shaka } = await playing({ tokenIn: "query" });
  assert.equal(shaka.fail(refusal({ uri: `${SEGMENT_URI}?CAT=first` })).handled, true);
  assert.equal(shaka.fail(refusal({ uri: `${SEGMENT_URI}?CAT=second` })).handled, false);
});

for (const [what, error] of [
  ["another refusal of the edge", refusal({ reason: "path" })],
  ["another failure", refusal({ code: 1002 })],
  ["another status", refusal({ status: 404 })],
]) {
  test(`${what} is an error`, async () => {
    const { service, shaka } = await playing();
    assert.equal(shaka.fail(error).handled, false);
    await settled();
    assert.deepEqual(service.paths, ["/api/stream/start"]);
  });
}

test("a film that failed during an outage continues with its next slot", async () => {
  const { clock, service, shaka } = await playing();
  service.answer(LOST);
  await clock.pass(90_000);
  const { retries } = shaka;
  service.answer(holdWith("second"));
  await clock.pass(10_000);
  assert.equal(shaka.retries, retries + 1);
});

test("a player may get its video after it was attached", async () => {
  const { stream, service } = player();
  const shaka = new FakeShaka();
  const { video } = shaka;
  shaka.video = null;
  service.answer(holdWith("first"));
  attach(shaka, stream);
  shaka.video = video;
  shaka.load();
  await settled();
  service.answer([410, { code: "stream_gone" }]);
  video.play();
  await settled();
  await stream.renew();
  assert.equal(video.paused, true);
});

test("a detached player is as it was before", async () => {
  const { service, shaka, attachment } = await playing();
  attachment.detach();
  assert.deepEqual([shaka.load, shaka.unload], [FakeShaka.prototype.load, FakeShaka.prototype.unload]);
  assert.equal(shaka.network.requestFilters.size + shaka.network.responseFilters.size, 0);
  shaka.network.refuse(refusal());
  assert.equal(shaka.fail(refusal()).handled, false);
  await settled();
  assert.deepEqual(service.paths, ["/api/stream/start"]);
});
