// A player over the JavaScript client: one command per line comes in, one event per line goes out.
import { createInterface } from "node:readline";

import { StreamLimiter } from "stream-limiter-client";

const [url, userId, device] = process.argv.slice(2);
const stream = new StreamLimiter({ url }).stream({ userId, device });
const tell = (event, streams = []) => {
  const holders = streams.map((holder) => holder.device);
  process.stdout.write(`${JSON.stringify({ event, streamId: stream.streamId, holders })}\n`);
};
stream.addEventListener("refused", ({ detail }) => tell("refused", detail.streams));
stream.addEventListener("gone", () => tell("gone"));

for await (const line of createInterface({ input: process.stdin })) {
  const { action, replaces } = JSON.parse(line);
  if (action === "start" && (await stream.start({ replaces }))) tell("admitted");
  if (action === "end") tell((await stream.end()) ? "ended" : "failed");
}
process.exit();
