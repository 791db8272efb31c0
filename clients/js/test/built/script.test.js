import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { before, test } from "node:test";
import { brotliCompressSync, gzipSync } from "node:zlib";

import { buildSync } from "esbuild";

import { openWindow } from "./chromium53.js";

const CLIENT = new URL("../../", import.meta.url);
const SCRIPT = new URL("dist/stream-limiter-client.js", CLIENT);
const HOLD = { streamCount: 1, maxStreams: 3, expiresInSeconds: 9, heartbeatSeconds: 0.05 };

before(() => execFileSync("npm", ["run", "--silent", "build"], { cwd: CLIENT }));

/** A window in which the classic script was loaded; `heartbeat` is resolved by the first one. */
function television() {
  let beaten;
  const heartbeat = new Promise((resolve) => (beaten = resolve));
  const opened = openWindow((path) => (path.endsWith("/heartbeat") && beaten(), HOLD));
  opened.run(readFileSync(SCRIPT, "utf8"));
  return { ...opened, heartbeat };
}

test("the window of Chromium 53 has the features of its time and no later ones", () => {
  const { run } = openWindow(() => HOLD);
  for (const later of [
    ...["globalThis", "AbortController", "queueMicrotask", "BigInt", "structuredClone", "WeakRef"],
    ...["Object.entries", "Object.values", "Object.fromEntries", "Object.getOwnPropertyDescriptors"],
    ...["Promise.prototype.finally", "Promise.allSettled", "Promise.any"],
    ...["''.padStart", "''.trimStart", "''.replaceAll", "[].flat", "[].flatMap", "[].at", "[].values"],
    ...["new Uint8Array(1).at", "crypto.randomUUID", "navigator.locks", "URL.canParse"],
  ]) {
    assert.equal(run(`typeof ${later.split(".")[0]} === "undefined" || ${later} === undefined`), true, later);
  }
  for (const old of ["Object.assign", "[].includes", "''.repeat", "Promise.race", "fetch", "CustomEvent", "WeakMap"]) {
    assert.equal(run(`typeof ${old}`), "function", old);
  }
  assert.throws(() => run("new EventTarget()"), { message: "Illegal constructor" });
});

test("the classic script has the entries of the package in one global", () => {
  const { run } = television();
  for (const name of ["StreamLimiter", "ServiceError", "video.attach", "hls.attach", "shaka.attach", "videojs.attach"]) {
    assert.equal(run(`typeof streamLimiter.${name}`), "function", name);
  }
});

test("the classic script starts, heartbeats and ends in Chromium 53, and leaves no listener behind", async () => {
  const { run, window, requests, heartbeat } = television();
  run(`
    var limiter = new streamLimiter.StreamLimiter({ url: "https://api.example.com", token: "token" });
    var stream = limiter.stream({ device: "television" });
  `);
  assert.equal(await run("stream.start()"), true);
  assert.equal(run("stream.state"), "admitted");
  assert.notEqual(window.listeners.length + window.document.listeners.length, 0);
  await heartbeat;
  assert.equal(await run("stream.end()"), true);
  assert.deepEqual([requests[0], requests[1], requests.at(-1)], [
    "POST /stream/start",
    "POST /stream/heartbeat",
    "POST /stream/end",
  ]);
  assert.deepEqual([...window.listeners, ...window.document.listeners], []);
});

test("the classic script does not use Object.getOwnPropertyDescriptors, which came with Chromium 54", () => {
  const isCalled = readFileSync(SCRIPT, "utf8").includes("getOwnPropertyDescriptors"); // by esbuild, for `{ ...a, b }`
  assert.equal(isCalled, false);
});

const MAX_KB = { "the module, without an entry for a player": 6, "the classic script, with all of them": 12 };

test("the sizes are those of the README, within 5 %, and bounded", () => {
  const module = buildSync({
    entryPoints: [new URL("index.js", CLIENT).pathname],
    bundle: true,
    minify: true,
    format: "esm",
    write: false,
  });
  const built = [Buffer.from(module.outputFiles[0].contents), readFileSync(SCRIPT)];
  const readme = readFileSync(new URL("README.md", CLIENT), "utf8");
  Object.entries(MAX_KB).forEach(([what, most], index) => {
    const text = built[index];
    const sizes = [text, gzipSync(text), brotliCompressSync(text)].map(({ length }) => length / 1000);
    const row = `| ${[what, ...sizes.map((size) => `${size.toFixed(1)} kB`)].join(" | ")} |`;
    const written = readme.match(new RegExp(`^\\| ${what} \\| (.+) kB \\| (.+) kB \\| (.+) kB \\|$`, "m"));
    const isRight = sizes.every((size, column) => Math.abs(Number(written?.[column + 1]) / size - 1) <= 0.05);
    assert.ok(isRight, `README.md has to say: ${row}`);
    assert.ok(sizes[1] <= most, `${what} has grown to more than ${most} kB, compressed by gzip: ${row}`);
  });
});
