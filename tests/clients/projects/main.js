/** A page that is built with the package: it takes a slot, and has the entry of each player. */
import { StreamLimiter } from "stream-limiter-client";
import * as hls from "stream-limiter-client/hls";
import * as shaka from "stream-limiter-client/shaka";
import * as video from "stream-limiter-client/video";
import * as videojs from "stream-limiter-client/videojs";

window.entries = [hls, shaka, video, videojs].map(({ attach }) => typeof attach);
window.started = new StreamLimiter().stream({ userId: "1", device: "bundled" }).start();
