import assert from "node:assert/strict";
import { test } from "node:test";

import { Attachment, withToken } from "../attachment.js";
import { UNAVAILABLE, FakeVideo, FULL, GONE, HOLD, LOST, TOO_MANY, holdWith, player, refusing, settled } from "./fakes.js";

/** A stream that is attached to a video, and the requests that were sent. */
function attached(options = {}, playerOptions = {}) {
  const playing = player(playerOptions);
  const video = new FakeVideo();
  const attachment = new Attachment(video, playing.stream, { clock: playing.clock, ...options });
  const passed = [];
  const request = async (options) => passed.push(await attachment.request(options));
  return { ...playing, video, attachment, passed, request };
}

/** The same, and it plays. */
async function playing(options = {}, answer = HOLD) {
  const all = attached(options);
  all.service.answer(answer);
  all.video.play();
  await settled();
  assert.equal(all.video.paused, false);
  return all;
}

test("a video that is played waits for its slot, and plays when it is admitted", async () => {
  const { service, stream, video } = attached();
  service.answer(UNAVAILABLE, HOLD);
  video.play();
  await settled();
  assert.deepEqual([video.paused, stream.state], [true, "starting"]);
});

test("a video plays when it is admitted, after a single start", async () => {
  const { service, video, clock } = await playing();
  await clock.pass(60_000);
  assert.deepEqual(service.paths, ["/api/stream/start", "/api/stream/heartbeat", "/api/stream/heartbeat"]);
  assert.equal(video.paused, false);
});

test("a video that already plays when it is attached is stopped until it is admitted", async () => {
  const { stream, service, clock } = player();
  const video = new FakeVideo();
  service.answer(FULL);
  await video.play();
  new Attachment(video, stream, { clock });
  await settled();
  assert.deepEqual([video.paused, stream.state], [true, "refused"]);
});

test("a player may get its video, or another one, after it was attached", async () => {
  const { stream, service, clock } = player();
  const [video, other] = [new FakeVideo(), new FakeVideo()];
  const attachment = new Attachment(undefined, stream, { clock });
  attachment.watch(video);
  await video.play();
  await settled();
  assert.deepEqual([video.paused, stream.state], [false, "admitted"]);
  attachment.watch(other);
  other.play();
  await settled();
  service.answer(GONE);
  await clock.pass(30_000);
  assert.deepEqual([video.paused, other.paused], [false, true]);
});

test("a refused video stays stopped, and starts again when the viewer presses play", async () => {
  const { service, stream, video } = attached();
  service.answer(FULL, HOLD);
  video.play();
  await settled();
  assert.deepEqual([video.paused, stream.state], [true, "refused"]);
  video.play();
  await settled();
  assert.deepEqual([video.paused, stream.state], [false, "admitted"]);
});

test("a refused video plays when its stream takes another one's slot", async () => {
  const { service, stream, video } = attached();
  service.answer(FULL, HOLD);
  video.play();
  await settled();
  await stream.start({ replaces: "tv-1" });
  assert.equal(video.paused, false);
});

test("a video stops when its slot was taken away, and when it lapses", async () => {
  const evicted = await playing();
  evicted.service.answer(GONE);
  await evicted.clock.pass(30_000);
  assert.equal(evicted.video.paused, true);
  const lapsed = await playing();
  lapsed.service.answer(LOST);
  await lapsed.clock.pass(89_999);
  assert.equal(lapsed.video.paused, false);
  await lapsed.clock.pass(1);
  assert.equal(lapsed.video.paused, true);
  lapsed.service.answer(HOLD);
  await lapsed.clock.pass(10_000);
  assert.equal(lapsed.video.paused, false);
});

test("a video whose next lease ends before its play event plays with the lease after that", async () => {
  const { clock, service, video } = await playing();
  const late = [];
  const hear = () => late.splice(0).forEach((event) => event());
  video.later = (event) => late.push(event);
  service.answer(LOST);
  await clock.pass(90_000);
  hear();
  service.answer(HOLD);
  await clock.pass(10_000);
  assert.equal(video.paused, false);
  service.answer(LOST);
  await clock.pass(90_000);
  assert.equal(video.paused, true);
  hear(); // the play, and then the pause
  service.answer(HOLD);
  await clock.pass(10_000);
  assert.equal(video.paused, false);
});

test("a video that the viewer paused is not started by lapses and admissions", async () => {
  const { clock, service, video } = await playing();
  video.pause();
  service.answer(LOST);
  await clock.pass(100_000);
  service.answer(HOLD);
  await clock.pass(10_000);
  assert.equal(video.paused, true);
});

test("a refused video that the viewer plays and pauses again stays paused when it is admitted", async () => {
  const { service, stream, video } = attached();
  service.answer(FULL, HOLD);
  video.play();
  await settled();
  video.play();
  video.pause(); // before the page gets either event
  await settled();
  assert.deepEqual([stream.state, video.paused], ["admitted", true]);
});

test("a video plays on through a lapse with that option, and stops if it is refused then", async () => {
  const { clock, service, video } = await playing({ whenLapsed: "play" });
  service.answer(LOST);
  await clock.pass(100_000);
  assert.equal(video.paused, false);
  video.pause();
  await settled();
  video.play();
  await settled();
  assert.equal(video.paused, false);
  service.answer(FULL);
  await clock.pass(10_000);
  assert.equal(video.paused, true);
});

test("a refusal of other groups does not stop a held stream", async () => {
  const { service, stream, video } = await playing();
  service.answer(refusing(stream));
  await stream.start({ groups: ["uhd"] });
  assert.equal(video.paused, false);
});

test("a paused video keeps its slot, by default forever", async () => {
  const { clock, stream, video } = await playing();
  video.pause();
  await clock.pass(10_000_000);
  assert.equal(stream.state, "admitted");
});

test("a paused video frees its slot at once with that option, and starts again when it plays", async () => {
  const { clock, stream, video } = await playing({ holdPaused: false });
  video.pause();
  await clock.pass(0);
  assert.equal(stream.state, "ended");
  video.play();
  await settled();
  assert.deepEqual([video.paused, stream.state], [false, "admitted"]);
});

test("a paused video keeps its slot for the configured time, which a play in between restarts", async () => {
  const { clock, stream, video } = await playing({ holdPaused: 60_000 });
  video.pause();
  await clock.pass(59_999);
  video.play();
  await clock.pass(1);
  video.pause();
  await clock.pass(59_999);
  assert.equal(stream.state, "admitted");
  await clock.pass(1);
  assert.equal(stream.state, "ended");
});

test("a slot that a video got without playing is freed as after a pause", async () => {
  const { clock, stream, request } = attached({ holdPaused: 60_000 });
  request({ isFirst: true });
  await clock.pass(59_999);
  assert.equal(stream.state, "admitted");
  await clock.pass(1);
  assert.equal(stream.state, "ended");
});

test("a film that ends frees its slot, unless the next episode begins", async () => {
  const { clock, stream, video } = await playing();
  video.end();
  await clock.pass(999);
  video.play();
  await clock.pass(10_000);
  assert.equal(stream.state, "admitted");
  video.end();
  await clock.pass(1_000);
  assert.equal(stream.state, "ended");
});

test("the pause at a film's end does not free the slot at once, because the next episode may begin", async () => {
  const { clock, stream, video } = await playing({ holdPaused: false });
  Object.assign(video, { paused: true, ended: true });
  video.dispatchEvent(new Event("pause"));
  await clock.pass(500);
  assert.equal(stream.state, "admitted");
  video.dispatchEvent(new Event("ended"));
  await clock.pass(1_000);
  assert.equal(stream.state, "ended");
});

test("a failed start is reported to the player, and the next play starts again", async () => {
  const errors = [];
  const { service, stream, video } = attached({ onError: (error) => errors.push(error.code) });
  service.answer(TOO_MANY, HOLD);
  video.play();
  await settled();
  assert.deepEqual([errors, video.paused, stream.state], [["too_many_starts"], true, "idle"]);
  video.play();
  await settled();
  assert.equal(video.paused, false);
});

test("a browser that requires a gesture is not an error", async () => {
  const { video, stream } = attached();
  video.play();
  video.forbidden = true;
  await settled();
  assert.deepEqual([video.paused, stream.state], [true, "admitted"]);
});

test("requests wait for the slot and have the newest token, whenever they were queued", async () => {
  const { clock, service, video, passed, request } = attached();
  request();
  await settled();
  assert.deepEqual(passed, []);
  service.answer(holdWith("first"), holdWith("second"));
  video.play();
  await settled();
  request();
  await clock.pass(30_000);
  request();
  await settled();
  assert.deepEqual(passed, ["first", "first", "second"]);
});

test("the first request of a film asks for a slot without a play, and the others do not", async () => {
  const { service, stream, passed, request } = attached();
  request();
  await settled();
  assert.equal(stream.state, "idle");
  service.answer(holdWith("token"));
  request({ isFirst: true });
  request({ isFirst: true });
  await settled();
  assert.deepEqual(service.paths, ["/api/stream/start"]);
  assert.deepEqual(passed, ["token", "token", "token"]);
});

test("a film that loads as soon as the previous one has ended keeps its slot", async () => {
  const { clock, service, stream, video, request } = await playing();
  video.end();
  await clock.pass(999);
  request({ isFirst: true });
  await clock.pass(10_000);
  assert.deepEqual([stream.state, service.paths], ["admitted", ["/api/stream/start"]]);
});

test("a film that loads and is not played frees the slot as a pause does", async () => {
  const { clock, stream, video, request } = await playing({ holdPaused: 60_000 });
  video.end();
  await settled();
  request({ isFirst: true });
  await clock.pass(59_999);
  assert.equal(stream.state, "admitted");
  await clock.pass(1);
  assert.equal(stream.state, "ended");
});

test("requests of a refused film wait until it is admitted", async () => {
  const { service, stream, passed, request } = attached();
  service.answer(FULL, holdWith("token"));
  request({ isFirst: true });
  await settled();
  assert.deepEqual(passed, []);
  await stream.start({ replaces: "tv-1" });
  await settled();
  assert.deepEqual(passed, ["token"]);
});

test("requests of a lapsed stream wait for the next token, also while the video plays on", async () => {
  const { clock, service, passed, request } = await playing({ whenLapsed: "play" }, holdWith("first"));
  service.answer(LOST);
  await clock.pass(90_000);
  request();
  await settled();
  assert.deepEqual(passed, []);
  service.answer(holdWith("second"));
  await clock.pass(10_000);
  assert.deepEqual(passed, ["second"]);
});

test("a request waits for the next token after its laptop has slept for longer than the lease", async () => {
  const { clock, page, service, passed, request } = await playing({}, holdWith("first"));
  clock.freeze(90_000);
  request();
  await settled();
  assert.deepEqual(passed, []);
  service.answer(holdWith("second"));
  page.dispatchEvent(new Event("online"));
  await settled();
  assert.deepEqual(passed, ["second"]);
});

test("requests of a lapsed stream without tokens are sent while the video plays on", async () => {
  const { clock, service, passed, request } = await playing({ whenLapsed: "play" });
  service.answer(LOST);
  await clock.pass(90_000);
  request();
  await settled();
  assert.deepEqual(passed, [undefined]);
});

test("an expired token leads to one heartbeat for all requests that carried it", async () => {
  const { service, attachment } = await playing({}, holdWith("first"));
  service.answer(holdWith("second"));
  assert.deepEqual(await Promise.all([attachment.expired(), attachment.expired()]), ["second", "second"]);
  assert.deepEqual(service.paths, ["/api/stream/start", "/api/stream/heartbeat"]);
});

test("an expired token without a newer one is reported", async () => {
  const { service, attachment } = await playing({}, holdWith("first"));
  service.answer(UNAVAILABLE);
  assert.equal(await attachment.expired(), undefined);
});

test("an expired token of a lapsed stream waits until it is admitted again", async () => {
  const { clock, service, attachment } = await playing({}, holdWith("first"));
  service.answer(LOST);
  await clock.pass(90_000);
  const expired = attachment.expired();
  service.answer(holdWith("second"));
  await clock.pass(10_000);
  assert.equal(await expired, "second");
});

test("a cookie keeps the newest token after a lapse and an end, as a browser may still fetch ahead", async () => {
  globalThis.document = {};
  globalThis.location = new URL("https://watch.example.com/film");
  try {
    const { clock, service, stream } = await playing({ tokenIn: "cookie", cookieDomain: "example.com" }, holdWith("token"));
    const kept = "Path=/; SameSite=Lax; Domain=example.com; Secure";
    assert.equal(globalThis.document.cookie, `CAT=token; ${kept}`);
    service.answer(LOST);
    await clock.pass(90_000);
    assert.deepEqual([stream.state, globalThis.document.cookie], ["lapsed", `CAT=token; ${kept}`]);
    service.answer(holdWith("next"));
    await clock.pass(10_000);
    assert.equal(globalThis.document.cookie, `CAT=next; ${kept}`);
    stream.abandon();
    assert.deepEqual([stream.playbackToken, globalThis.document.cookie], [undefined, `CAT=next; ${kept}`]);
  } finally {
    delete globalThis.document;
    delete globalThis.location;
  }
});

test("a detached video is its player's alone, and its requests are sent", async () => {
  const { clock, service, stream, video, attachment, passed, request } = await playing({}, holdWith("token"));
  service.answer(GONE);
  let isUndone = false;
  attachment.undoes(() => (isUndone = true));
  await clock.pass(29_999);
  attachment.detach();
  await clock.pass(1);
  assert.deepEqual([stream.state, video.paused, isUndone], ["gone", false, true]);
  request();
  await settled();
  assert.deepEqual(passed, [undefined]);
});

for (const [url, expected] of [
  ["https://cdn.example.com/a.m3u8", "https://cdn.example.com/a.m3u8?CAT=new"],
  ["/a.ts?b=1#t=2", "/a.ts?b=1&CAT=new#t=2"],
  ["/a.ts?CAT=old&b=%20", "/a.ts?b=%20&CAT=new"],
]) {
  test(`the query of ${url} has the token once, and is otherwise unchanged`, () => {
    assert.equal(withToken(url, "new"), expected);
  });
}
