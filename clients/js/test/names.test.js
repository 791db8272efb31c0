import assert from "node:assert/strict";
import { test } from "node:test";

import { FULL, FakeLocks, HOLD, pageOf, player, settled } from "./fakes.js";

/** A tab of a browser whose pages have these locks; `load` is a page of it, with a player. */
function tab(locks, stored = new Map()) {
  return {
    load: () => player({ page: pageOf(stored, locks) }),
    duplicate: () => tab(locks, new Map(stored)),
  };
}

async function nameOf(play) {
  await play.stream.start();
  return play.stream.streamId;
}

/** Close the page, with its requests and locks. */
async function leave({ page }) {
  page.dispatchEvent(new Event("pagehide"));
  await settled();
}

for (const locks of [new FakeLocks(), undefined]) {
  test(`a reloaded page keeps its name, ${locks ? "with" : "without"} Web Locks`, async () => {
    const home = tab(locks);
    const before = home.load();
    const name = await nameOf(before);
    await leave(before);
    const after = home.load();
    assert.equal(await nameOf(after), name);
    assert.notEqual(after.service.requests[0].body.play, before.service.requests[0].body.play);
  });
}

test("a crashed page has the same name when it is loaded again", async () => {
  const locks = new FakeLocks();
  const home = tab(locks);
  const name = await nameOf(home.load());
  locks.crash();
  assert.equal(await nameOf(home.load()), name);
});

test("a duplicated tab takes a name of its own, and both keep theirs when they are reloaded", async () => {
  const home = tab(new FakeLocks());
  const first = home.load();
  const name = await nameOf(first);
  const copy = home.duplicate();
  const second = copy.load();
  const other = await nameOf(second);
  assert.notEqual(other, name);
  await leave(first);
  await leave(second);
  assert.equal(await nameOf(copy.load()), other);
  assert.equal(await nameOf(home.load()), name);
});

test("a page from the back/forward cache finds its name again, unless a duplicate took it", async () => {
  const home = tab(new FakeLocks());
  const kept = home.load();
  const name = await nameOf(kept);
  const back = async () => {
    kept.page.dispatchEvent(new Event("pageshow"));
    await settled();
    return kept.stream.streamId;
  };
  await leave(kept);
  assert.equal(await back(), name);
  await leave(kept);
  assert.equal(await nameOf(home.duplicate().load()), name); // it was free
  assert.notEqual(await back(), name);
});

for (const locks of [new FakeLocks(), undefined]) {
  test(`two streams of a page at once have two names, which the tab keeps, ${locks ? "with" : "without"} Web Locks`, async () => {
    const home = tab(locks);
    const page = home.load();
    const second = page.limiter.stream({ userId: "1" });
    await Promise.all([page.stream.start(), second.start()]);
    const names = [page.stream.streamId, second.streamId];
    assert.equal(new Set(names).size, 2);
    await leave(page);
    const after = home.load();
    const other = after.limiter.stream({ userId: "1" });
    await Promise.all([after.stream.start(), other.start()]);
    assert.deepEqual(new Set([after.stream.streamId, other.streamId]), new Set(names));
  });
}

test("a tab that once played two streams plays one under the same name ever after", async () => {
  const home = tab(new FakeLocks());
  const both = home.load();
  await Promise.all([both.stream.start(), both.limiter.stream({ userId: "1" }).start()]);
  await leave(both);
  const names = new Set();
  for (let load = 1; load <= 3; load += 1) {
    const page = home.load();
    names.add(await nameOf(page));
    await leave(page);
  }
  assert.equal(names.size, 1);
});

for (const [how, give] of [
  ["ended", ({ stream }) => stream.end()],
  ["refused", ({ service, stream }) => (service.answer(FULL, HOLD), stream.start())],
]) {
  test(`a stream object for each film has the screen's name, once the last one is ${how}`, async () => {
    const page = tab(new FakeLocks()).load();
    const name = await nameOf(page);
    await give(page);
    await settled();
    const next = page.limiter.stream({ userId: "1" });
    await next.start();
    assert.equal(next.streamId, name);
  });
}

test("the name of an abandoned stream is not used again, because its slot is not another film's", async () => {
  const page = tab(new FakeLocks()).load();
  const name = await nameOf(page);
  page.stream.abandon();
  const next = page.limiter.stream({ userId: "1" });
  await next.start();
  assert.notEqual(next.streamId, name);
  assert.equal(await nameOf(page), name);
});

test("a given name wins, and is not stored", async () => {
  const stored = new Map();
  const { limiter } = player({ page: pageOf(stored, new FakeLocks()) });
  const given = limiter.stream({ userId: "1", streamId: "tv-1" });
  await given.start();
  assert.deepEqual([given.streamId, stored.size], ["tv-1", 0]);
});

test("full, forbidden or damaged storage does not stop a stream", async () => {
  const full = pageOf(new Map());
  full.sessionStorage.setItem = () => {
    throw new Error("full");
  };
  const forbidden = new EventTarget();
  Object.defineProperty(forbidden, "sessionStorage", {
    get() {
      throw new Error("forbidden");
    },
  });
  const foreign = ["null", "{", '["!", 7]'].map((text) => pageOf(new Map([["stream-limiter-client", text]])));
  const broken = pageOf(new Map(), { request: () => Promise.reject(new Error("not for this page")) });
  for (const page of [full, forbidden, ...foreign, broken]) {
    assert.match(await nameOf(player({ page })), /^[0-9a-f]{24}$/);
  }
});

test("without a page each stream has a name of its own, and keeps it", async () => {
  const { limiter, stream } = player({ page: undefined });
  const other = limiter.stream({ userId: "1" });
  await stream.start();
  await other.start();
  const name = stream.streamId;
  assert.notEqual(other.streamId, name);
  await stream.end();
  await stream.start();
  assert.equal(stream.streamId, name);
});
