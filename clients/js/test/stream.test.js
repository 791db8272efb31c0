import assert from "node:assert/strict";
import { test } from "node:test";

import { ServiceError } from "../index.js";
import { AWAY, FULL, GONE, HOLD, NEVER, UNVERIFIED, player, settled } from "./fakes.js";

const LOST = new TypeError("fetch failed");

test("a start takes a slot under a fresh name, and heartbeats follow as often as the service says", async () => {
  const { clock, service, stream, kinds } = player();
  assert.equal(await stream.start(), true);
  assert.equal(stream.state, "admitted");
  assert.deepEqual(service.requests[0].body, { userId: "1", streamId: stream.streamId, device: "TV" });
  assert.match(stream.streamId, /^[0-9a-f]{24}$/);
  await clock.pass(60_000);
  assert.deepEqual(service.paths, ["/api/stream/start", "/api/stream/heartbeat", "/api/stream/heartbeat"]);
  assert.deepEqual(service.requests[2].body, { userId: "1", streamId: stream.streamId });
  assert.deepEqual(kinds(), ["admitted"]);
});

test("a refusal is told with who holds the slots, and no heartbeat follows", async () => {
  const { clock, service, stream, told } = player();
  service.answer(FULL);
  assert.equal(await stream.start(), false);
  assert.equal(stream.state, "refused");
  assert.deepEqual(told, [["refused", FULL[1]]]);
  await clock.pass(300_000);
  assert.equal(service.requests.length, 1);
});

test("a start that is not answered is repeated under the same name, later each time", async () => {
  const { clock, service, stream } = player();
  service.answer(LOST, LOST, AWAY, HOLD);
  const started = stream.start();
  await clock.pass(599);
  assert.equal(service.requests.length, 1);
  await clock.pass(1);
  assert.equal(service.requests.length, 2);
  await clock.pass(1_200 + 2_400);
  assert.equal(await started, true);
  assert.equal(new Set(service.requests.map(({ body }) => body.streamId)).size, 1);
});

test("a start is given up when nothing answers for long", async () => {
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

/** A player of an API elsewhere, whose requests fail unless they are in this mode; and their methods. */
function cutOff(passing, options = {}) {
  const methods = [];
  const fetch = async (_, { method, mode }) => {
    methods.push(method);
    if (mode !== passing) throw LOST;
    return new Response(null);
  };
  return { ...player({ url: "https://api.example.com", fetch, ...options }), methods };
}

test("a start whose answer the browser hides is given up after a fifth of the patience, and says so", async () => {
  await inPage(ELSEWHERE, async () => {
    const { clock, stream, methods } = cutOff("no-cors");
    const started = assert.rejects(stream.start(), { status: 0, code: "answer_hidden" });
    await clock.pass(600 + 1_200); // within 3 s: the next one would come at 4.2 s
    await started;
    assert.deepEqual(methods, ["POST", "HEAD", "POST", "HEAD", "POST", "HEAD"]);
  });
});

test("a network that is away is waited for: nothing answers the browser at all", async () => {
  await inPage(ELSEWHERE, async () => {
    const { clock, stream, methods } = cutOff("none");
    const started = assert.rejects(stream.start(), { status: 0, code: undefined });
    await clock.pass(60_000);
    await started;
    assert.equal(methods.filter((method) => method === "POST").length, 5);
  });
});

test("a page of the API's own origin may read every answer, and asks for nothing else", async () => {
  await inPage("https://api.example.com/film", async () => {
    const { clock, stream, methods } = cutOff("no-cors");
    const started = assert.rejects(stream.start(), { status: 0, code: undefined });
    await clock.pass(60_000);
    await started;
    assert.deepEqual(methods, Array(5).fill("POST"));
  });
});

test("a token that cannot be had is not taken for a hidden answer", async () => {
  await inPage(ELSEWHERE, async () => {
    const { stream, methods } = cutOff("no-cors", { patienceMs: 0, token: () => Promise.reject(LOST) });
    await assert.rejects(stream.start(), { status: 0, code: undefined });
    assert.deepEqual(methods, []);
  });
});

test("a stream that starts again by itself does not give up for a hidden answer", async () => {
  await inPage(ELSEWHERE, async () => {
    const { clock, service, stream } = player({ url: "https://api.example.com" });
    const hidden = [LOST, [404, {}]]; // to the start, and to the request that nobody reads
    await stream.start();
    service.answer(UNVERIFIED, GONE, ...hidden, ...hidden, ...hidden, ...hidden, HOLD);
    await clock.pass(60_000 + 600 + 1_200 + 2_400 + 4_800);
    assert.equal(stream.state, "admitted");
    assert.equal(service.paths.filter((path) => path.endsWith("/start")).length, 6);
  });
});

test("a start after one that was not answered is the same one again: it may have landed", async () => {
  const { service, stream } = player({ patienceMs: 0 });
  service.answer(HOLD, LOST, HOLD);
  await stream.start();
  await assert.rejects(stream.start(), ServiceError);
  await stream.start();
  assert.deepEqual(service.requests[2].body, service.requests[1].body);
  assert.equal(service.requests[2].body.replaces, service.requests[0].body.streamId);
});

test("a 200 of something that is not the service keeps no slot, and is asked again", async () => {
  const { clock, service, stream } = player();
  await stream.start();
  const never = [200, { expiresInSeconds: 90, heartbeatSeconds: 3_000_000 }];
  service.answer([200, { hotel: "Please sign in" }], [200, null], never, HOLD);
  await clock.pass(30_000 + 600 + 1_200 + 2_400);
  assert.deepEqual(service.paths.slice(1), Array(4).fill("/api/stream/heartbeat"));
  assert.equal(stream.leaseMs, 90_000);
  service.answer([200, {}]);
  await assert.rejects(stream.start(), { status: 0 });
});

test("a start that the service takes for wrong is not repeated", async () => {
  const { service, stream } = player();
  service.answer([400, { code: "invalid_request", detail: "userId is required." }]);
  await assert.rejects(stream.start(), { status: 400, code: "invalid_request", message: "userId is required." });
  assert.equal(service.requests.length, 1);
});

test("an error that says nothing is an error still", async () => {
  const { service, stream } = player();
  service.answer([404, null]);
  await assert.rejects(stream.start(), { status: 404, message: "HTTP 404", code: undefined });
});

test("a request that hangs is given up, and repeated", async () => {
  const { clock, service, stream } = player();
  service.answer(NEVER, HOLD);
  const started = stream.start();
  await clock.pass(5_000 + 600);
  assert.equal(await started, true);
});

test("a heartbeat that fails is repeated soon, and the lease runs by our clock meanwhile", async () => {
  const { clock, service, stream } = player();
  await stream.start();
  service.answer(LOST, AWAY, HOLD);
  await clock.pass(30_000 + 600 + 1_200);
  assert.deepEqual(service.paths.slice(1), Array(3).fill("/api/stream/heartbeat"));
  assert.equal(stream.leaseMs, 90_000);
});

test("a Retry-After is heeded, and no proxy silences the heartbeats for good", async () => {
  const { clock, service, stream } = player();
  await stream.start();
  service.answer([503, {}, { "retry-after": "20" }], [503, {}, { "retry-after": "3000000" }], HOLD);
  await clock.pass(30_000 + 19_999);
  assert.equal(service.requests.length, 2);
  await clock.pass(1 + 299_999);
  assert.equal(service.requests.length, 3);
  await clock.pass(1);
  assert.equal(service.requests.length, 4);
});

test("whoever loses the slot before the lease ran out was evicted, and stops", async () => {
  const { clock, service, stream, kinds } = player();
  await stream.start();
  service.answer(GONE);
  await clock.pass(30_000);
  assert.deepEqual(kinds(), ["admitted", "gone"]);
  assert.equal(stream.state, "gone");
  await clock.pass(300_000);
  assert.equal(service.requests.length, 2);
});

test("whoever loses the slot after the lease ran out starts again by itself, under a new name", async () => {
  const { clock, service, stream, kinds } = player();
  await stream.start();
  const first = stream.streamId;
  service.answer(LOST);
  await clock.pass(100_000);
  service.answer(GONE, HOLD);
  await clock.pass(10_000);
  assert.deepEqual(kinds(), ["admitted", "admitted"]);
  assert.notEqual(stream.streamId, first);
  assert.equal(service.requests.at(-1).path, "/api/stream/start");
});

test("whoever was admitted unverified starts again on a 410, and replaces what it meant to replace", async () => {
  const { clock, service, stream, kinds } = player();
  service.answer(UNVERIFIED, GONE, HOLD);
  await stream.start({ replaces: "tv-1" });
  const first = stream.streamId;
  await clock.pass(30_000);
  assert.deepEqual(kinds(), ["admitted", "admitted"]);
  assert.equal(service.requests.at(-1).path, "/api/stream/start");
  assert.equal(service.requests.at(-1).body.replaces, "tv-1");
  assert.notEqual(stream.streamId, first);
});

test("whoever was told unverified to go on starts again on a 410", async () => {
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

test("a start by itself that meets the limit is refused like any other", async () => {
  const { clock, service, stream, kinds } = player();
  await stream.start();
  service.answer(LOST);
  await clock.pass(100_000);
  service.answer(GONE, FULL);
  await clock.pass(10_000);
  assert.deepEqual(kinds(), ["admitted", "refused"]);
});

test("a heartbeat that was sent in time and answered after the lease still means evicted", async () => {
  const { clock, limiter, service, stream, kinds } = player();
  await stream.start();
  limiter.fetch = async (...request) => {
    clock.freeze(65_000); // the answer takes until after the lease
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

test("a page that goes away ends its stream by a request that outlives it, with the latest token", async () => {
  const { page, service, stream } = player({ token: async () => "secret" });
  await stream.start();
  page.dispatchEvent(new Event("pagehide"));
  const last = service.requests.at(-1); // no promise was waited for: the page would be gone
  assert.equal(last.path, "/api/stream/end");
  assert.equal(last.keepalive, true);
  assert.equal(last.headers.authorization, "Bearer secret");
  assert.deepEqual(last.body, { userId: "1", streamId: stream.streamId });
});

test("a page that the browser kept starts again when it comes back", async () => {
  const { clock, page, service, stream, kinds } = player();
  await stream.start();
  const first = stream.streamId;
  page.dispatchEvent(new Event("pagehide"));
  await clock.pass(300_000);
  assert.equal(service.requests.length, 2); // no heartbeat for a stream that it ended
  page.dispatchEvent(new Event("pageshow"));
  await settled();
  assert.deepEqual(kinds(), ["admitted", "admitted"]);
  assert.notEqual(stream.streamId, first);
});

test("an end gives the slot back once, and ends the heartbeats", async () => {
  const { clock, service, stream } = player();
  await stream.start();
  assert.equal(await stream.end(), true);
  assert.equal(await stream.end(), true);
  await clock.pass(300_000);
  assert.deepEqual(service.paths, ["/api/stream/start", "/api/stream/end"]);
  assert.equal(stream.leaseMs, 0);
});

test("an end that cannot be told is left to the lease", async () => {
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

test("the next episode takes over the slot that is held", async () => {
  const { service, stream } = player();
  await stream.start();
  const first = stream.streamId;
  await stream.start();
  assert.equal(service.requests[1].body.replaces, first);
  assert.notEqual(stream.streamId, first);
});

test("whoever holds a slot and takes over another one gives the first one back", async () => {
  const { service, stream } = player();
  await stream.start();
  const first = stream.streamId;
  await stream.start({ replaces: "tv-1" });
  await settled();
  const [, ended, started] = service.requests;
  assert.deepEqual([ended.path, ended.body.streamId], ["/api/stream/end", first]);
  assert.deepEqual([started.path, started.body.replaces], ["/api/stream/start", "tv-1"]);
});

test("to stop it there and watch here is a start that replaces", async () => {
  const { service, stream } = player();
  await stream.start({ replaces: "tv-1" });
  assert.equal(service.requests[0].body.replaces, "tv-1");
});

test("an abandoned stream says nothing more", async () => {
  const { clock, service, stream } = player();
  await stream.start();
  stream.abandon();
  await clock.pass(300_000);
  assert.equal(service.requests.length, 1);
});

test("a crashed player takes its slot up again under its old name", async () => {
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
