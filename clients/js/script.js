/** The global `streamLimiter` of the classic script: the exports of all entry points of the package. */
export * from "./index.js";
export * as hls from "./players/hls.js";
export * as shaka from "./players/shaka.js";
export * as video from "./players/video.js";
export * as videojs from "./players/videojs.js";
