import assert from "node:assert/strict";
import { test } from "node:test";

import { ServiceError } from "../index.js";
import {
  UNAVAILABLE,
  FULL,
  GONE,
  HOLD,
  LONG_HOLD,
  LOST,
  NEVER,
  TOO_MANY,
  THROTTLED,
  UHD_FULL,
  UNVERIFIED,
  holdWith,
  player,
  refusing,
  settled,
} from "./fakes.js";

test("a start takes a slot under a fresh name, and heartbeats follow at the service's interval", async () => {
  const { clock, service, stream, kinds } = player();
  assert.equal(await stream.start(), true);
  assert.equal(stream.state, "admitted");
  const { streamId } = stream;
  const { play } = service.requests[0].body;
  assert.deepEqual(service.requests[0].body, { userId: "1", streamId, play, device: "TV" });
  assert.match(streamId, /^[0-9a-f]{24}$/);
  assert.match(play, /^[0-9a-f]{24}$/);
  await clock.pass(60_000);
  assert.deepEqual(service.paths, ["/api/stream/start", "/api/stream/heartbeat", "/api/stream/heartbeat"]);
  assert.deepEqual(service.requests[2].body, { userId: "1", streamId, play });
  assert.deepEqual(kinds(), ["admitted"]);
});

test("a refusal lists the streams that hold the slots, and no heartbeat follows", async () => {
  const { clock, service, stream, events } = player();
  service.answer(FULL);
  assert.equal(await stream.start(), false);
  assert.equal(stream.state, "refused");
  assert.deepEqual(events, [["refused", FULL[1]]]);
  await clock.pass(300_000);
  assert.equal(service.requests.length, 1);
});

test("a start without an answer is repeated under the same name, with growing delays", async () => {
  const { clock, service, stream } = player();
  service.answer(LOST, LOST, UNAVAILABLE, HOLD);
  const started = stream.start();
  await clock.pass(599);
  assert.equal(service.requests.length, 1);
  await clock.pass(1);
  assert.equal(service.requests.length, 2);
  await clock.pass(1_200 + 2_400);
  assert.equal(await started, true);
  assert.equal(new Set(service.requests.map(({ body }) => body.streamId)).size, 1);
});

test("a start is given up when no answer arrives for long", async () => {
  const { clock, service, stream } = player({ patienceMs: 5_000 });
  service.answer(LOST);
  const started = assert.rejects(stream.start(), (error) => error instanceof ServiceError && error.status === 0);
  await clock.pass(60_000);
  await started;
  assert.equal(stream.state, "idle");
});

const ELSEWHERE = "https://watch.example.com/film";

/** Play in a page of this address. */
async function inPage(href, play) {
  globalThis.location = new URL(href);
  try {
    await play();
  } finally {
    delete globalThis.location;
  }
}

/** A player of an API at another origin, whose requests fail unless they are in this mode; and their methods. */
function cutOff(passing, options = {}) {
  const methods = [];
  const fetch = async (_, { method, mode }) => {
    methods.push(method);
    if (mode !== passing) throw LOST;
    return new Response(null);
  };
  return { ...player({ url: "https://api.example.com", fetch, ...options }), methods };
}

test("a start whose answer the browser hides is given up after a fifth of the patience, with that reason", async () => {
  await inPage(ELSEWHERE, async () => {
    const { clock, stream, methods } = cutOff("no-cors");
    const started = assert.rejects(stream.start(), { status: 0, code: "answer_hidden" });
    await clock.pass(600 + 1_200); // within 3 s: the next one would come at 4.2 s
    await started;
    assert.deepEqual(methods, ["POST", "HEAD", "POST", "HEAD", "POST", "HEAD"]);
  });
});

test("an unavailable network is waited for: the browser gets no answer at all", async () => {
  await inPage(ELSEWHERE, async () => {
    const { clock, stream, methods } = cutOff("none");
    const started = assert.rejects(stream.start(), { status: 0, code: undefined });
    await clock.pass(60_000);
    await started;
    assert.equal(methods.filter((method) => method === "POST").length, 5);
  });
});

test("a page of the API's own origin may read every answer, and makes no other request", async () => {
  await inPage("https://api.example.com/film", async () => {
    const { clock, stream, methods } = cutOff("no-cors");
    const started = assert.rejects(stream.start(), { status: 0, code: undefined });
    await clock.pass(60_000);
    await started;
    assert.deepEqual(methods, Array(5).fill("POST"));
  });
});

test("a token that cannot be fetched is not taken for a hidden answer", async () => {
  await inPage(ELSEWHERE, async () => {
    const { stream, methods } = cutOff("no-cors", { patienceMs: 0, token: () => Promise.reject(LOST) });
    await assert.rejects(stream.start(), { status: 0, code: undefined });
    assert.deepEqual(methods, []);
  });
});

test("a stream that starts again automatically does not give up for a hidden answer", async () => {
  await inPage(ELSEWHERE, async () => {
    const { clock, service, stream } = player({ url: "https://api.example.com" });
    const hidden = [LOST, [404, {}]]; // to the start, and to the request whose answer is not read
    await stream.start();
    service.answer(UNVERIFIED, GONE, ...hidden, ...hidden, ...hidden, ...hidden, HOLD);
    await clock.pass(60_000 + 600 + 1_200 + 2_400 + 4_800);
    assert.equal(stream.state, "admitted");
    assert.equal(service.paths.filter((path) => path.endsWith("/start")).length, 6);
  });
});

test("a start after one without an answer is the same one again, because that may have landed", async () => {
  const { service, stream } = player({ patienceMs: 0 });
  for (const failing of [true, false]) {
    service.answer(...(failing ? [LOST, HOLD] : [HOLD]));
    if (failing) await assert.rejects(stream.start(), ServiceError);
    await stream.start();
  }
  const [first, ...again] = service.requests.map(({ body }) => body);
  for (const body of again) assert.deepEqual(body, first);
});

test("a 200 from another server grants no slot, and the start is repeated", async () => {
  const { clock, service, stream } = player();
  await stream.start();
  const never = [200, { expiresInSeconds: 90, heartbeatSeconds: 3_000_000 }];
  const forever = [200, { expiresInSeconds: 3_000_000, heartbeatSeconds: 30 }];
  service.answer([200, { hotel: "Please sign in" }], [200, null], never, forever, HOLD);
  await clock.pass(30_000 + 600 + 1_200 + 2_400 + 4_800);
  assert.deepEqual(service.paths.slice(1), Array(5).fill("/api/stream/heartbeat"));
  assert.equal(stream.leaseMs, 90_000);
});

test("a start that another server answers is repeated like one without an answer", async () => {
  const { clock, service, stream } = player();
  service.answer([200, { hotel: "Please sign in" }]);
  const started = assert.rejects(stream.start(), { status: 0, message: "What answered is not the service." });
  await clock.pass(60_000);
  await started;
  assert.deepEqual([service.requests.length, stream.state], [5, "idle"]);
});

test("a lapsed stream is not stopped by another server's answers, and retries with pauses", async () => {
  const { clock, service, stream } = player();
  await stream.start();
  service.answer(LOST);
  await clock.pass(89_999);
  const { length } = service.requests;
  service.answer([200, null]);
  await clock.pass(60_001);
  assert.equal(service.requests.length, length + 10); // after 0, 0.6, 1.8, 4.2, 9.0, 18.6, 28.6, 38.6, 48.6, 58.6 s
  service.answer(HOLD);
  await clock.pass(10_000);
  assert.equal(stream.state, "admitted");
});

test("a start that the service calls invalid is not repeated", async () => {
  const { service, stream } = player();
  service.answer([400, { code: "invalid_request", detail: "userId is required." }]);
  await assert.rejects(stream.start(), { status: 400, code: "invalid_request", message: "userId is required." });
  assert.equal(service.requests.length, 1);
});

test("an error without a body is still an error", async () => {
  const { service, stream } = player();
  service.answer([404, null]);
  await assert.rejects(stream.start(), { status: 404, message: "HTTP 404", code: undefined });
});

test("a request that hangs is given up even if `fetch` ignores signals, as on old televisions", async () => {
  let calls = 0;
  const fetch = () => ((calls += 1), new Promise(() => {}));
  const { clock, stream } = player({ fetch, patienceMs: 8_000 });
  const failed = assert.rejects(stream.start(), { status: 0 });
  await clock.pass(60_000);
  await failed;
  assert.equal(calls, 2);
});

test("a request that hangs is given up, and repeated", async () => {
  const { clock, service, stream } = player();
  service.answer(NEVER, HOLD);
  const started = stream.start();
  await clock.pass(5_000 + 600);
  assert.equal(await started, true);
});

test("a failed heartbeat is repeated soon, while the lease runs by our clock", async () => {
  const { clock, service, stream } = player();
  await stream.start();
  service.answer(LOST, UNAVAILABLE, HOLD);
  await clock.pass(30_000 + 600 + 1_200);
  assert.deepEqual(service.paths.slice(1), Array(3).fill("/api/stream/heartbeat"));
  assert.equal(stream.leaseMs, 90_000);
});

test("a Retry-After is obeyed, and no proxy silences the heartbeats for good", async () => {
  const { clock, service, stream } = player();
  service.answer(LONG_HOLD);
  await stream.start();
  service.answer([503, {}, { "retry-after": "20" }], [503, {}, { "retry-after": "3000000" }], HOLD);
  await clock.pass(30_000 + 19_999);
  assert.equal(service.requests.length, 2);
  await clock.pass(1 + 299_999);
  assert.equal(service.requests.length, 3);
  await clock.pass(1);
  assert.equal(service.requests.length, 4);
});

test("a stream that is gone has the reason and the device, until it is started again", async () => {
  const { clock, service, stream, events } = player();
  const why = { ...GONE[1], reason: "evicted", by: "Living room TV" };
  service.answer(HOLD, [410, why], HOLD);
  await stream.start();
  assert.equal(stream.gone, undefined);
  await clock.pass(30_000);
  assert.deepEqual(events.at(-1), ["gone", why]);
  assert.deepEqual(stream.gone, why);
  await stream.start();
  assert.equal(stream.gone, undefined);
});

test("a stream that loses its slot before its lease has expired was evicted, and stops", async () => {
  const { clock, service, stream, kinds } = player();
  await stream.start();
  service.answer(GONE);
  await clock.pass(30_000);
  assert.deepEqual(kinds(), ["admitted", "gone"]);
  assert.equal(stream.state, "gone");
  await clock.pass(300_000);
  assert.equal(service.requests.length, 2);
});

test("a stream whose lease expires without an answer lapses, and starts again under the same name", async () => {
  const { clock, service, stream, kinds } = player();
  await stream.start();
  const first = stream.streamId;
  service.answer(LOST);
  await clock.pass(89_999);
  assert.deepEqual([stream.state, kinds()], ["admitted", ["admitted"]]);
  await clock.pass(1);
  assert.deepEqual([stream.state, stream.leaseMs, kinds()], ["lapsed", 0, ["admitted", "lapsed"]]);
  assert.equal(service.requests.at(-1).path, "/api/stream/start"); // at once
  await clock.pass(1_000_000); // for as long as it takes
  service.answer(HOLD);
  await clock.pass(10_000);
  assert.deepEqual([stream.state, kinds()], ["admitted", ["admitted", "lapsed", "admitted"]]);
  assert.equal(service.requests.at(-1).path, "/api/stream/start");
  assert.equal(service.requests.at(-1).body.streamId, first);
});

test("a stream whose heartbeats are answered never lapses, however long they take", async () => {
  const { clock, service, stream, kinds } = player();
  await stream.start();
  service.answer(UNAVAILABLE, LOST, LOST, LOST, HOLD);
  await clock.pass(1_000_000);
  assert.deepEqual([stream.state, kinds()], ["admitted", ["admitted"]]);
});

test("a lease that the service rounds down to nothing lasts for a heartbeat", async () => {
  const { clock, service, stream, kinds } = player();
  service.answer([200, { ...HOLD[1], expiresInSeconds: 0 }], HOLD);
  await stream.start();
  await clock.pass(29_999);
  assert.deepEqual([stream.state, kinds(), service.requests.length], ["admitted", ["admitted"], 1]);
});

test("an unverified answer extends the lease like any other: the service can be reached", async () => {
  const { clock, service, stream, kinds } = player();
  service.answer(UNVERIFIED);
  await stream.start();
  await clock.pass(300_000);
  assert.deepEqual(kinds(), ["admitted"]);
  service.answer(LOST);
  await clock.pass(90_000);
  assert.equal(stream.state, "lapsed");
});

test("a lapsed stream replaces again what an unverified start was to replace", async () => {
  const { clock, service, stream } = player();
  service.answer(UNVERIFIED);
  await stream.start({ replaces: "tv-1" });
  service.answer(LOST);
  await clock.pass(90_000);
  assert.equal(service.requests.at(-1).body.replaces, "tv-1");
});

test("a lapsed stream that starts again on a wake replaces again what it was to replace", async () => {
  const { clock, page, service, stream } = player();
  service.answer(UNVERIFIED);
  await stream.start({ replaces: "tv-1" });
  service.answer(LOST);
  await clock.pass(290_000);
  const { length } = service.requests;
  page.dispatchEvent(new Event("online"));
  await settled();
  assert.equal(service.requests.length, length + 1);
  assert.equal(service.requests.at(-1).body.replaces, "tv-1");
});

test("a lapsed stream that is ended sends an end, because the slot may still be its own", async () => {
  const { clock, service, stream, kinds } = player();
  await stream.start();
  service.answer(LOST);
  await clock.pass(95_000);
  service.answer([200, {}]);
  assert.equal(await stream.end(), true);
  assert.equal(service.requests.at(-1).path, "/api/stream/end");
  await clock.pass(300_000);
  assert.equal(service.requests.at(-1).path, "/api/stream/end");
  assert.deepEqual([stream.state, kinds()], ["ended", ["admitted", "lapsed"]]);
});

for (const kind of ["visibilitychange", "pageshow", "online"]) {
  test(`a lapsed stream starts again at once on ${kind}`, async () => {
    const { clock, page, service, stream } = player();
    await stream.start();
    service.answer(LOST);
    await clock.pass(290_000); // its attempts are ten seconds apart by now
    service.answer(HOLD);
    page.dispatchEvent(new Event(kind));
    await settled();
    assert.equal(stream.state, "admitted");
  });

  test(`a tab that was frozen for longer than its lease has lapsed, and starts again at once on ${kind}`, async () => {
    const { clock, page, service, stream, kinds } = player();
    await stream.start();
    clock.freeze(90_000);
    page.dispatchEvent(new Event(kind));
    assert.equal(stream.state, "lapsed"); // before the first picture
    await settled();
    assert.deepEqual(service.paths, ["/api/stream/start", "/api/stream/start"]);
    assert.deepEqual(kinds(), ["admitted", "lapsed", "admitted"]);
  });
}

test("a start in progress when the lease expires continues, and if it fails the stream retries automatically", async () => {
  const { clock, service, stream, kinds } = player();
  await stream.start();
  service.answer(LOST);
  await clock.pass(85_000);
  const started = assert.rejects(stream.start({ replaces: "tv-1" }), { status: 0 });
  await clock.pass(5_000);
  assert.deepEqual([stream.state, kinds()], ["lapsed", ["admitted", "lapsed"]]);
  await clock.pass(60_000);
  await started;
  assert.equal(stream.state, "lapsed");
  service.answer(HOLD);
  await clock.pass(10_000);
  assert.equal(service.requests.at(-1).body.replaces, "tv-1");
  assert.deepEqual([stream.state, kinds()], ["admitted", ["admitted", "lapsed", "admitted"]]);
});

test("a failed start of a lapsed stream leaves it lapsed", async () => {
  const { clock, service, stream, kinds } = player();
  await stream.start();
  service.answer(LOST);
  await clock.pass(95_000);
  const failed = assert.rejects(stream.start(), { status: 0 });
  await clock.pass(60_000);
  await failed;
  assert.deepEqual([stream.state, kinds()], ["lapsed", ["admitted", "lapsed"]]);
  service.answer(HOLD);
  assert.equal(await stream.start(), true);
  assert.deepEqual([stream.state, kinds()], ["admitted", ["admitted", "lapsed", "admitted"]]);
});

test("an invalid start of a lapsed stream ends it", async () => {
  const { clock, service, stream } = player();
  await stream.start();
  service.answer(LOST);
  await clock.pass(95_000);
  service.answer([400, { code: "invalid_request", detail: "no" }]);
  await assert.rejects(stream.start(), { status: 400 });
  const { length } = service.requests;
  await clock.pass(300_000);
  assert.deepEqual([stream.state, service.requests.length], ["idle", length]);
});

test("a requested heartbeat extends the lease at once, and reports that", async () => {
  const { clock, service, stream, tokens } = player();
  service.answer(holdWith("first"));
  await stream.start();
  await clock.pass(10_000);
  service.answer(holdWith("second"), LOST);
  assert.deepEqual(await Promise.all([stream.renew(), stream.renew()]), [true, true]);
  assert.deepEqual(service.paths, ["/api/stream/start", "/api/stream/heartbeat"]); // one for both
  assert.deepEqual([stream.leaseMs, tokens], [90_000, ["first", "second"]]);
  assert.equal(await stream.renew(), false);
  stream.abandon();
  assert.equal(await stream.renew(), false);
});

test("a stream that was admitted unverified starts again on a 410, and replaces what it was to replace", async () => {
  const { clock, service, stream, kinds } = player();
  service.answer(UNVERIFIED, GONE, HOLD);
  await stream.start({ replaces: "tv-1" });
  const first = stream.streamId;
  await clock.pass(30_000);
  assert.deepEqual(kinds(), ["admitted", "admitted"]);
  assert.equal(service.requests.at(-1).path, "/api/stream/start");
  assert.equal(service.requests.at(-1).body.replaces, "tv-1");
  assert.equal(service.requests.at(-1).body.streamId, first);
});

test("a stream that was extended unverified starts again on a 410", async () => {
  const { clock, service, stream, kinds } = player();
  service.answer(HOLD, UNVERIFIED, GONE, HOLD);
  await stream.start();
  await clock.pass(60_000);
  assert.deepEqual(kinds(), ["admitted", "admitted"]);
  assert.equal(stream.state, "admitted");
});

for (const [how, ...answers] of [
  ["heartbeat", HOLD],
  ["start", GONE, HOLD],
]) {
  test(`a verified answer to a ${how} makes the lease real again: a 410 after it is an eviction`, async () => {
    const { clock, service, stream, kinds } = player();
    service.answer(UNVERIFIED, ...answers, GONE);
    await stream.start();
    await clock.pass(60_000);
    assert.equal(kinds().at(-1), "gone");
    assert.equal(stream.state, "gone");
  });
}

test("an automatic start at the limit is refused like any other", async () => {
  const { clock, service, stream, kinds } = player();
  await stream.start();
  service.answer(LOST);
  await clock.pass(100_000);
  service.answer(FULL);
  await clock.pass(10_000);
  assert.deepEqual([stream.state, kinds()], ["refused", ["admitted", "lapsed", "refused"]]);
});

test("a heartbeat that was sent in time and answered after the lease still means evicted", async () => {
  const { clock, limiter, service, stream, kinds } = player();
  await stream.start();
  limiter.fetch = async (...request) => {
    clock.freeze(65_000); // the answer arrives after the lease
    return service.fetch(...request);
  };
  service.answer(GONE);
  await clock.pass(30_000);
  assert.deepEqual(kinds(), ["admitted", "gone"]);
});

for (const kind of ["visibilitychange", "pageshow", "online"]) {
  test(`a tab whose timers were frozen sends its heartbeat at once on ${kind}`, async () => {
    const { clock, page, service, stream } = player();
    await stream.start();
    clock.freeze(70_000);
    page.dispatchEvent(new Event(kind));
    await settled();
    assert.equal(service.paths.at(-1), "/api/stream/heartbeat");
    assert.equal(stream.leaseMs, 90_000);
  });
}

test("a tab that is looked at again before a heartbeat is due sends none", async () => {
  const { clock, page, service, stream } = player();
  await stream.start();
  clock.freeze(10_000);
  page.dispatchEvent(new Event("visibilitychange"));
  await settled();
  assert.equal(service.requests.length, 1);
});

test("a clock that is set back does not hold up the heartbeats", async () => {
  const { clock, service, stream } = player();
  await stream.start();
  clock.correct(-3_600_000);
  await clock.pass(90_000);
  assert.deepEqual(service.paths.slice(1), Array(3).fill("/api/stream/heartbeat"));
});

test("a page that closes ends its stream by a request that outlives it, with the latest token", async () => {
  const { page, service, stream } = player({ token: async () => "secret" });
  await stream.start();
  const { play } = service.requests[0].body;
  page.dispatchEvent(new Event("pagehide"));
  const last = service.requests.at(-1); // no promise was waited for: the page would be gone
  assert.equal(last.path, "/api/stream/end");
  assert.equal(last.keepalive, true);
  assert.equal(last.headers.authorization, "Bearer secret");
  assert.deepEqual(last.body, { userId: "1", streamId: stream.streamId, play });
});

test("a page from the back/forward cache starts again: the same screen, another play", async () => {
  const { clock, page, service, stream, kinds } = player();
  await stream.start();
  const first = stream.streamId;
  page.dispatchEvent(new Event("pagehide"));
  await clock.pass(300_000);
  assert.equal(service.requests.length, 2); // no heartbeat for a stream that it ended
  page.dispatchEvent(new Event("pageshow"));
  await settled();
  assert.deepEqual(kinds(), ["admitted", "admitted"]);
  const [before, , after] = service.requests.map(({ body }) => body);
  assert.equal(after.streamId, first);
  assert.notEqual(after.play, before.play); // its end may arrive after this
});

test("an end frees the slot once, and stops the heartbeats", async () => {
  const { clock, service, stream } = player();
  await stream.start();
  assert.equal(await stream.end(), true);
  assert.equal(await stream.end(), true);
  await clock.pass(300_000);
  assert.deepEqual(service.paths, ["/api/stream/start", "/api/stream/end"]);
  assert.equal(stream.leaseMs, 0);
});

test("if an end cannot be sent, the lease frees the slot", async () => {
  const { clock, service, stream } = player();
  await stream.start();
  service.answer(LOST);
  const ended = stream.end();
  await clock.pass(60_000);
  assert.equal(await ended, false);
});

test("an end during a start wins", async () => {
  const { clock, service, stream, kinds } = player();
  service.answer(NEVER, HOLD);
  const started = stream.start();
  await settled();
  const ended = stream.end();
  assert.equal(await started, false);
  assert.equal(await ended, true);
  await clock.pass(300_000);
  assert.deepEqual(service.paths, ["/api/stream/start", "/api/stream/end"]);
  assert.deepEqual(kinds(), []);
});

test("five next episodes are one screen: one name, one play, and no replacement", async () => {
  const { service, stream } = player();
  for (let episode = 1; episode <= 5; episode += 1) await stream.start();
  const [first, ...others] = service.requests.map(({ body }) => body);
  assert.deepEqual(others, Array(4).fill(first));
  assert.equal(first.replaces, undefined);
});

test("a play after an end has the screen's name, and a late end does not end it", async () => {
  const { service, stream } = player();
  await stream.start();
  await stream.end();
  await stream.start();
  const [started, ended, again] = service.requests.map(({ body }) => body);
  assert.equal(ended.play, started.play);
  assert.equal(again.streamId, started.streamId);
  assert.notEqual(again.play, started.play);
});

test("a screen that holds a slot and takes over another one keeps its name, and the other one ends", async () => {
  const { service, stream } = player();
  await stream.start();
  await stream.start({ replaces: "tv-1" });
  const [first, second] = service.requests.map(({ body }) => body);
  assert.deepEqual(second, { ...first, replaces: "tv-1" });
});

test("a replaced stream has ended: no later start, automatic or not, replaces it again", async () => {
  const { clock, service, stream } = player();
  await stream.start({ replaces: "tv-1" });
  await stream.start();
  await clock.pass(1);
  service.answer(LOST);
  await clock.pass(89_000);
  service.answer(HOLD);
  await clock.pass(1_000);
  const starts = service.requests.filter(({ path }) => path.endsWith("/start"));
  assert.deepEqual(starts.map(({ body }) => body.replaces), ["tv-1", undefined, undefined]);
});

test("of two starts at once the latest counts, and only its admission is an event", async () => {
  const { service, stream, kinds } = player();
  await stream.start();
  service.answer(NEVER, HOLD);
  const first = stream.start();
  await settled();
  const second = stream.start({ replaces: "tv-1" });
  assert.deepEqual([await first, await second], [false, true]);
  assert.equal(service.requests.at(-1).body.replaces, "tv-1");
  assert.deepEqual(kinds(), ["admitted", "admitted"]);
});

test("a stream replaces any other one, but not itself", async () => {
  const { service, stream } = player();
  await stream.start();
  await stream.start({ replaces: stream.streamId });
  assert.equal(service.requests[1].body.replaces, undefined);
});

for (const [how, answer, status] of [
  ["postponed", TOO_MANY, 429],
  ["not answered", LOST, 0],
  ["taken for wrong", [400, { code: "invalid_request" }], 400],
]) {
  test(`a start that is ${how} leaves the held stream unchanged`, async () => {
    const { clock, service, stream, kinds, tokens } = player({ patienceMs: 0 });
    service.answer(holdWith("token"), answer, HOLD);
    await stream.start();
    await assert.rejects(stream.start({ replaces: "tv-1" }), { status });
    assert.deepEqual([stream.state, stream.leaseMs, stream.playbackToken], ["admitted", 90_000, "token"]);
    await clock.pass(60_000);
    assert.deepEqual(service.paths.slice(2), Array(2).fill("/api/stream/heartbeat"));
    await stream.start();
    assert.equal(service.requests.at(-1).body.replaces, undefined); // the other one plays on
    assert.deepEqual([kinds(), tokens], [["admitted", "admitted"], ["token"]]);
  });
}

test("a postponed start has a time to retry, and heartbeats continue during the wait", async () => {
  const { clock, service, stream } = player();
  service.answer(TOO_MANY);
  await assert.rejects(stream.start(), { code: "too_many_starts", retryAfterMs: 60_000 });
  assert.deepEqual([stream.state, stream.playbackToken, service.requests.length], ["idle", undefined, 1]);
  service.answer(HOLD);
  await stream.start();
  await clock.pass(29_000);
  service.answer([429, TOO_MANY[1], { "retry-after": "10" }], HOLD);
  const next = stream.start();
  await clock.pass(10_000);
  assert.equal(await next, true);
  const paths = service.paths.slice(-3).map((path) => path.slice("/api/stream/".length));
  assert.deepEqual(paths, ["start", "heartbeat", "start"]);
});

test("a throttling gateway is a transient failure", async () => {
  const { clock, service, stream } = player();
  service.answer(THROTTLED, HOLD);
  const started = stream.start();
  await clock.pass(600);
  assert.equal(await started, true);
});

test("a postponed automatic start waits as long as it must", async () => {
  const { clock, service, stream, kinds } = player();
  service.answer(UNVERIFIED, GONE, TOO_MANY, HOLD);
  await stream.start();
  await clock.pass(30_000 + 59_999);
  assert.equal(stream.state, "starting");
  await clock.pass(1);
  assert.deepEqual(kinds(), ["admitted", "admitted"]);
});

test("before a start is answered, a heartbeat's 410 does not stop the stream: the answer decides", async () => {
  const { clock, limiter, service, stream, kinds } = player();
  await stream.start();
  const { fetch } = limiter;
  let admit;
  const answered = new Promise((resolve) => (admit = resolve));
  limiter.fetch = async (url, options) => (url.endsWith("/start") && (await answered), fetch(url, options));
  await clock.pass(29_000);
  const next = stream.start();
  service.answer(GONE);
  await clock.pass(1_000);
  assert.deepEqual([service.paths.at(-1), stream.state], ["/api/stream/heartbeat", "admitted"]);
  service.answer(HOLD);
  admit();
  assert.equal(await next, true);
  assert.deepEqual(kinds(), ["admitted", "admitted"]);
});

test("a stream has the newest token, set before its admitted event, and none once its lease has expired", async () => {
  const { clock, service, stream, tokens } = player();
  let atAdmission;
  stream.addEventListener("admitted", () => (atAdmission = stream.playbackToken));
  service.answer(holdWith("first"), holdWith("second"), LOST);
  await stream.start();
  assert.equal(atAdmission, "first");
  await clock.pass(30_000);
  assert.equal(stream.playbackToken, "second");
  await clock.pass(89_999);
  assert.equal(stream.playbackToken, "second");
  await clock.pass(1);
  assert.equal(stream.playbackToken, undefined);
  assert.deepEqual(tokens, ["first", "second", undefined]);
});

test("a heartbeat without a token keeps the last one until it expires", async () => {
  const { clock, service, stream, tokens } = player();
  service.answer(holdWith("only"), HOLD);
  await stream.start();
  await clock.pass(89_999);
  assert.equal(stream.playbackToken, "only");
  await clock.pass(1);
  assert.deepEqual([stream.playbackToken, stream.state, tokens], [undefined, "admitted", ["only", undefined]]);
});

test("a token is not used after its end in a tab whose timers were frozen", async () => {
  const { clock, service, stream } = player();
  service.answer(holdWith("old"));
  await stream.start();
  clock.freeze(90_000);
  assert.equal(stream.playbackToken, undefined);
});

for (const [how, give] of [
  ["ended", ({ stream }) => stream.end()],
  ["evicted", ({ clock, service }) => (service.answer(GONE), clock.pass(30_000))],
  ["refused", ({ service, stream }) => (service.answer(FULL), stream.start())],
]) {
  test(`a stream that is ${how} has no token`, async () => {
    const all = player();
    all.service.answer(holdWith("token"));
    await all.stream.start();
    await give(all);
    assert.deepEqual([all.stream.playbackToken, all.tokens], [undefined, ["token", undefined]]);
  });
}

const UHD = ["uhd"];

/** The groups that each start and each end named. */
const groupsOf = ({ requests }) => requests.filter(({ path }) => !path.endsWith("/heartbeat")).map(({ body }) => body.groups);

test("a stream names its groups with each start and each end, as does a page that closes, but not with heartbeats", async () => {
  const { clock, page, service, stream } = player({ groups: UHD });
  await stream.start();
  await clock.pass(30_000);
  assert.equal(service.requests.at(-1).body.groups, undefined);
  await stream.end();
  await stream.start();
  page.dispatchEvent(new Event("pagehide"));
  page.dispatchEvent(new Event("pageshow"));
  await settled();
  assert.deepEqual(groupsOf(service), Array(5).fill(UHD));
});

test("a stream in no group does not mention groups", async () => {
  const { service, stream } = player({ groups: UHD });
  await stream.start({ groups: [] });
  await stream.end();
  assert.deepEqual(groupsOf(service), [undefined, undefined]);
});

test("a start with other groups keeps name and play, and the stream is in them until a start names others", async () => {
  const { clock, service, stream } = player({ groups: UHD });
  await stream.start();
  await stream.start({ groups: ["hdr", "mobile"] });
  service.answer(LOST);
  await clock.pass(89_000);
  service.answer(HOLD);
  await clock.pass(1_000); // it starts again automatically
  await stream.start();
  await stream.end();
  assert.deepEqual(groupsOf(service), [UHD, ...Array(4).fill(["hdr", "mobile"])]);
  assert.equal(new Set(service.requests.map(({ body }) => `${body.streamId} ${body.play}`)).size, 1);
});

test("a refusal names the full group", async () => {
  const { service, stream, events } = player({ groups: UHD });
  service.answer(UHD_FULL);
  assert.equal(await stream.start(), false);
  assert.equal(stream.state, "refused");
  assert.deepEqual(events[0][1].limit, { group: "uhd", max: 1 });
});

test("a stream that is refused other groups keeps its own, and its token", async () => {
  const { clock, service, stream, kinds } = player({ groups: ["hdr"] });
  service.answer(holdWith("token"));
  await stream.start();
  service.answer(refusing(stream), HOLD);
  assert.equal(await stream.start({ groups: UHD }), false);
  assert.deepEqual([stream.state, stream.playbackToken], ["admitted", "token"]);
  await clock.pass(60_000);
  assert.deepEqual(service.paths.slice(2), Array(2).fill("/api/stream/heartbeat"));
  await stream.start();
  await stream.end();
  assert.deepEqual(groupsOf(service), [["hdr"], UHD, ["hdr"], ["hdr"]]);
  assert.deepEqual(kinds(), ["admitted", "refused", "admitted"]);
});

test("a page that holds no slot is refused, even if another page plays under its name", async () => {
  const { clock, service, stream } = player({ groups: UHD });
  await stream.start();
  await stream.end();
  service.answer(refusing(stream));
  assert.equal(await stream.start(), false);
  assert.equal(stream.state, "refused");
  await clock.pass(300_000);
  assert.equal(service.requests.length, 3);
});

for (const [how, answer] of [
  ["postponed", TOO_MANY],
  ["not answered", LOST],
]) {
  test(`a start with other groups that is ${how} leaves the stream in those that it has`, async () => {
    const { service, stream } = player({ patienceMs: 0 });
    service.answer(HOLD, answer, HOLD);
    await stream.start();
    await assert.rejects(stream.start({ groups: UHD }), ServiceError);
    await stream.end();
    assert.deepEqual(groupsOf(service), [undefined, UHD, undefined]);
  });
}

test("an end before the first name is known sends nothing", async () => {
  const { service, stream } = player();
  const started = stream.start();
  assert.equal(await stream.end(), true);
  assert.deepEqual([await started, service.requests], [false, []]);
});

test("stopping another screen to watch here is a start that replaces it", async () => {
  const { service, stream } = player();
  await stream.start({ replaces: "tv-1" });
  assert.equal(service.requests[0].body.replaces, "tv-1");
});

test("an abandoned stream sends nothing and has no more events", async () => {
  const { clock, service, stream } = player();
  await stream.start();
  stream.abandon();
  await clock.pass(300_000);
  assert.equal(service.requests.length, 1);
});

test("a crashed player takes its slot again under its old name", async () => {
  const { limiter, service } = player();
  const back = limiter.stream({ userId: "1", streamId: "tv-1" });
  await back.start();
  assert.equal(service.requests[0].body.streamId, "tv-1");
});

test("the user's streams can be listed", async () => {
  const { limiter, service } = player();
  service.answer([200, { streamCount: 0, streams: [] }]);
  assert.deepEqual(await limiter.streams("a b"), { streamCount: 0, streams: [] });
  assert.equal(service.paths[0], "/api/stream?userId=a%20b");
});
