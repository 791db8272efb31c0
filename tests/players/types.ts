/** Compiled, never run: the real players are what the client's entries take. */
import Hls from "hls.js";

import type { Stream } from "../../clients/js/index.js";
import { attach } from "../../clients/js/players/hls.js";

export const attached = (stream: Stream) => attach(new Hls(), stream, { holdPaused: false }).detach();
