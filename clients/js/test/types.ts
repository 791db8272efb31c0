/** Compiled by `npm run types`, never run: players' code compiles, and the modules match index.d.ts. */
import { ServiceError, StreamLimiter, type Stream, type StreamState, type StreamView } from "stream-limiter-client";
import * as errors from "../errors.js";
import * as limiter from "../limiter.js";
import * as stream from "../stream.js";

export const modules: {
  ServiceError: typeof ServiceError;
  StreamLimiter: typeof StreamLimiter;
  Stream: (made: InstanceType<typeof stream.Stream>) => Stream;
} = { ServiceError: errors.ServiceError, StreamLimiter: limiter.StreamLimiter, Stream: (made) => made };

export async function play(video: HTMLVideoElement, show: (streams: StreamView[]) => void): Promise<StreamState> {
  const service = new StreamLimiter({ url: "https://api.example.com", token: async () => "token" });
  const playing = service.stream({ userId: "1", device: "living room", groups: ["uhd"] });
  playing.addEventListener("admitted", ({ detail }) => console.log(detail.expiresInSeconds, detail.streamCount));
  playing.addEventListener("refused", ({ detail }) => show(detail.streams));
  playing.addEventListener("refused", ({ detail }) => console.log(detail.limit?.group, detail.limit?.max));
  playing.addEventListener("gone", ({ detail }) => console.log(detail.reason === "evicted", detail.by));
  console.log(playing.gone?.reason, playing.gone?.by, video.paused);
  playing.addEventListener("token", ({ detail }) => console.log(detail.playbackToken === playing.playbackToken));
  try {
    if (await playing.start({ replaces: "tv-1" })) await video.play();
    await playing.start({ groups: [] });
  } catch (error) {
    if (error instanceof ServiceError && error.isPassing) console.log(error.status, error.code, error.retryAfterMs);
  }
  const { streams, maxStreams } = await service.streams("1");
  console.log(streams[0]?.device, streams[0]?.groups, maxStreams, playing.leaseMs);
  await playing.end();
  // @ts-expect-error - a stream has no such event
  playing.addEventListener("paused", ({ detail }) => detail);
  // @ts-expect-error - only a StreamLimiter makes streams
  new stream.Stream();
  return playing.state;
}
