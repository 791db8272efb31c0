// A player over the JavaScript client: one command per line comes in, one event per line goes out.
import { createInterface } from "node:readline";

import { StreamLimiter } from "stream-limiter-client";

const [url, userId, device, streamId] = process.argv.slice(2);
const stream = new StreamLimiter({ url, token: "login" }).stream({ userId, device, streamId });
const report = (event, { streams = [], ...more } = {}) => {
  const holders = streams.map((holder) => holder.device);
  process.stdout.write(`${JSON.stringify({ event, streamId: stream.streamId, holders, ...more })}\n`);
};
stream.addEventListener("refused", ({ detail: { streams, limit } }) => report("refused", { streams, limit }));
stream.addEventListener("gone", ({ detail: { reason, by } }) => report("gone", { reason, by }));
let isLapsed = false;
stream.addEventListener("lapsed", () => {
  isLapsed = true;
  report("lapsed");
});
stream.addEventListener("admitted", () => {
  if (isLapsed) report("resumed");
  isLapsed = false;
});

for await (const line of createInterface({ input: process.stdin })) {
  const { action, ...options } = JSON.parse(line);
  if (action === "end") report((await stream.end()) ? "ended" : "failed");
  if (action !== "start") continue;
  try {
    if (await stream.start(options)) report("admitted", { hasToken: stream.playbackToken !== undefined });
  } catch (error) {
    if (error.code !== "too_many_starts") throw error;
    report("postponed", { seconds: error.retryAfterMs / 1000 });
  }
}
process.exit();
