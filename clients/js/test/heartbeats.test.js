import assert from "node:assert/strict";
import { test } from "node:test";

import { UNAVAILABLE, GONE, HOLD, LONG_HOLD, LOST, NEVER, TOO_MANY, THROTTLED, holdWith, player, settled } from "./fakes.js";

const URL_OF_HEARTBEATS = "https://beats.example.com/";
const API = "/api/stream/heartbeat";
const naming = (heartbeatUrl, more = {}) => [200, { ...holdWith("t1")[1], heartbeatUrl, ...more }];
const NAMED = naming(URL_OF_HEARTBEATS);
const BAD_TOKEN = [401, { code: "unauthenticated" }];

/** A player that was admitted by this answer, and where its heartbeats go after these. */
async function admitted(answer = NAMED, options = {}) {
  const made = player(options);
  made.service.answer(answer);
  assert.equal(await made.stream.start(), true);
  const paths = () => made.service.paths.slice(1);
  return { ...made, paths };
}

test("heartbeats go to the URL that the service names, with the newest token in place of the login", async () => {
  const { clock, service, stream, paths } = await admitted(NAMED, { token: "login" });
  service.answer(holdWith("t2"), HOLD);
  await clock.pass(60_000);
  assert.deepEqual(paths(), [URL_OF_HEARTBEATS, URL_OF_HEARTBEATS]);
  const { streamId } = stream;
  const { play } = service.requests[0].body;
  const bodies = service.requests.slice(1).map(({ body }) => body);
  assert.deepEqual(bodies, [
    { userId: "1", streamId, play, playbackToken: "t1" },
    { userId: "1", streamId, play, playbackToken: "t2" },
  ]);
  assert.equal(service.requests[0].headers.authorization, "Bearer login");
  for (const { headers, redirect } of service.requests.slice(1)) {
    assert.deepEqual(headers, { "content-type": "application/json" });
    assert.equal(redirect, "error"); // else a token would go elsewhere
  }
});

test("the URL's answer extends the lease and brings the newest token", async () => {
  const { clock, service, stream, kinds } = await admitted();
  service.answer(holdWith("t2"));
  await clock.pass(30_000);
  assert.equal(stream.leaseMs, 90_000);
  assert.equal(stream.playbackToken, "t2");
  assert.equal(await stream.renew(), true);
  assert.equal(service.paths.at(-1), URL_OF_HEARTBEATS);
  assert.deepEqual(kinds(), ["admitted"]);
});

for (const url of ["http://beats.example.com/", "ftp://localhost/", "//beats.example.com/", "beats", "", 7, {}, null]) {
  test(`a token is not sent to ${JSON.stringify(url)}`, async () => {
    const { clock, service, paths } = await admitted(naming(url));
    service.answer(HOLD);
    await clock.pass(30_000);
    assert.deepEqual(paths(), [API]);
  });
}

for (const url of ["http://localhost:8080/beat", "http://127.0.0.1/", "http://[::1]:3000/"]) {
  test(`a token may be sent over loopback, as to ${url}`, async () => {
    const { clock, service, paths } = await admitted(naming(url));
    service.answer(HOLD);
    await clock.pass(30_000);
    assert.deepEqual(paths(), [url]);
  });
}

test("without a token heartbeats go to the API", async () => {
  const { clock, service, paths } = await admitted([200, { ...HOLD[1], heartbeatUrl: URL_OF_HEARTBEATS }]);
  service.answer(HOLD);
  await clock.pass(30_000);
  assert.deepEqual(paths(), [API]);
});

test("an expired token is not sent", async () => {
  const { clock, service, stream } = await admitted();
  service.answer(LONG_HOLD); // an answer without a token: the one that is held ends before the lease
  await clock.pass(90_000);
  assert.equal(stream.playbackToken, undefined);
  assert.equal(service.paths.at(-1), API);
});

test("a stream whose user is known only by the login needs the user's id from the answer", async () => {
  for (const [userId, path] of [
    [undefined, API],
    ["anna", URL_OF_HEARTBEATS],
  ]) {
    const { clock, service, limiter } = player();
    const stream = limiter.stream();
    service.answer(naming(URL_OF_HEARTBEATS, { userId }), HOLD);
    await stream.start();
    await clock.pass(30_000);
    const { path: sentTo, body } = service.requests.at(-1);
    assert.equal(sentTo, path);
    assert.equal(body.userId, userId);
  }
});

const FAILURES = {
  "a token that does not hold": BAD_TOKEN,
  "a URL that is forbidden": [403, { Message: "Forbidden" }],
  "a URL that is not there": [404, {}],
  "a body that is too long": [413, { code: "payload_too_large" }],
  "a mistake of ours": [400, { code: "invalid_request" }],
  "too many calls": THROTTLED,
  "a function that failed": [502, { message: "Internal Server Error" }],
  "a network that fails": LOST,
  "what is not the service": [200, { login: "here" }],
};
for (const [what, failure] of Object.entries(FAILURES)) {
  test(`${what} sends the same heartbeat to the API at once`, async () => {
    const { clock, service, stream, paths } = await admitted(NAMED, { token: "login" });
    service.answer(failure, NAMED);
    await clock.pass(30_000);
    assert.deepEqual(paths(), [URL_OF_HEARTBEATS, API]);
    const { headers, body } = service.requests.at(-1);
    assert.equal(headers.authorization, "Bearer login");
    assert.deepEqual(Object.keys(body), ["userId", "streamId", "play"]);
    assert.equal(stream.leaseMs, 90_000);
    await clock.pass(30_000);
    assert.deepEqual(paths().slice(2), [URL_OF_HEARTBEATS]);
  });
}

test("a URL that does not answer is given up like any request", async () => {
  const { clock, service, paths } = await admitted();
  service.answer(NEVER, NAMED);
  await clock.pass(30_000 + 4_999);
  assert.deepEqual(paths(), [URL_OF_HEARTBEATS]);
  await clock.pass(1);
  assert.deepEqual(paths(), [URL_OF_HEARTBEATS, API]);
});

test("an answer of the service itself is final: the API would give the same", async () => {
  const { clock, service, kinds, paths } = await admitted();
  service.answer(UNAVAILABLE, TOO_MANY, GONE);
  await clock.pass(30_000 + 999);
  assert.deepEqual(paths(), [URL_OF_HEARTBEATS]);
  await clock.pass(1);
  assert.deepEqual(paths(), [URL_OF_HEARTBEATS, URL_OF_HEARTBEATS]);
  assert.deepEqual(kinds(), ["admitted"]);
});

test("a 410 of the URL is a 410", async () => {
  const { clock, service, events, paths } = await admitted();
  service.answer([410, { ...GONE[1], reason: "evicted", by: "phone" }]);
  await clock.pass(300_000);
  assert.deepEqual(paths(), [URL_OF_HEARTBEATS]);
  assert.deepEqual(events.at(-1), ["gone", { ...GONE[1], reason: "evicted", by: "phone" }]);
});

test("a URL that fails twice in a row is not used until that lease has expired", async () => {
  const { clock, service, paths } = await admitted();
  service.answer(LOST, NAMED, LOST, NAMED);
  await clock.pass(60_000); // the lease is until 120 s
  assert.deepEqual(paths(), [URL_OF_HEARTBEATS, API, URL_OF_HEARTBEATS, API]);
  await clock.pass(60_000);
  assert.deepEqual(paths().slice(4), [API, API]); // at 90 s and 120 s
  service.answer(LOST, NAMED, NAMED);
  await clock.pass(60_000);
  assert.deepEqual(paths().slice(6), [URL_OF_HEARTBEATS, API, URL_OF_HEARTBEATS]); // once is not twice
});

test("only failures in a row count", async () => {
  const { clock, service, paths } = await admitted();
  service.answer(LOST, NAMED, NAMED, LOST, NAMED, NAMED);
  await clock.pass(120_000);
  assert.deepEqual(paths().slice(-1), [URL_OF_HEARTBEATS]);
  assert.equal(paths().filter((path) => path === API).length, 2);
});

test("an answer of the API that names no URL ends its use", async () => {
  const { clock, service, paths } = await admitted();
  service.answer(LOST, holdWith("t2"));
  await clock.pass(60_000);
  assert.deepEqual(paths(), [URL_OF_HEARTBEATS, API, API]);
});

test("an API heartbeat's answer may name the URL, and a start's another one", async () => {
  const { clock, service, stream, paths } = await admitted(HOLD);
  service.answer(NAMED);
  await clock.pass(60_000);
  assert.deepEqual(paths(), [API, URL_OF_HEARTBEATS]);
  service.answer(naming("https://other.example.com/"), HOLD);
  await stream.start();
  await clock.pass(30_000);
  assert.equal(service.paths.at(-1), "https://other.example.com/");
});

test("a stream that ends while the URL does not answer makes no other request", async () => {
  const { clock, service, stream, paths } = await admitted();
  service.answer(NEVER, HOLD);
  await clock.pass(30_000);
  stream.abandon();
  await clock.pass(30_000);
  assert.deepEqual(paths(), [URL_OF_HEARTBEATS]);
});

test("a page that closes ends its stream with the renewed login", async () => {
  let logins = 0;
  const { clock, service, page } = await admitted(NAMED, { token: () => `login ${(logins += 1)}` });
  service.answer(NAMED);
  await clock.pass(60_000);
  page.dispatchEvent(new Event("pagehide"));
  const { path, headers } = service.requests.at(-1);
  assert.equal(path, "/api/stream/end");
  assert.equal(headers.authorization, "Bearer login 3");
});

test("a login that cannot be fetched does not stop heartbeats by token", async () => {
  let isBroken = false;
  const token = () => (isBroken ? Promise.reject(LOST) : "login");
  const { clock, service, stream, paths } = await admitted(NAMED, { token });
  isBroken = true;
  service.answer(NAMED);
  await clock.pass(30_000);
  await settled();
  assert.deepEqual(paths(), [URL_OF_HEARTBEATS]);
  assert.equal(stream.leaseMs, 90_000);
});
