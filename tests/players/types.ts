/** Compiled, never run: the client's entries accept the real players. */
import Hls from "hls.js";
import shaka from "shaka-player";
import videojs from "video.js";

import type { Stream } from "../../clients/js/index.js";
import { attach as attachHls } from "../../clients/js/players/hls.js";
import { attach as attachShaka } from "../../clients/js/players/shaka.js";
import { attach as attachVideoJs } from "../../clients/js/players/videojs.js";

export const attached = [
  (stream: Stream) => attachHls(new Hls(), stream, { holdPaused: false }).detach(),
  (stream: Stream) => attachShaka(new shaka.Player(), stream, { whenLapsed: "play" }).detach(),
  (stream: Stream) => attachVideoJs(videojs("video"), stream, { tokenIn: "query" }).detach(),
];
