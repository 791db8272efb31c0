/** The video of a screen: hls.js, with the newest playback token on each of its requests. */

const HEADER = "cta-common-access-token";

// Keep the buffers small: the edge cannot take back what a player has loaded.
const BUFFERS = {
  maxBufferLength: 2,
  maxMaxBufferLength: 2,
  backBufferLength: 0,
  frontBufferFlushThreshold: 2, // the film's end, when it loops
};

const { Hls } = globalThis; // from a script that is missing without npm

/** The reason why the video cannot play, or an empty string. */
export const unplayable = !Hls
  ? "Video cannot play: hls.js is not installed. make run fetches it if npm is installed."
  : !Hls.isSupported()
    ? "Video cannot play: this browser lacks Media Source Extensions."
    : "";

export class Video {
  #element;
  #token;
  #onRefused;
  #onFailed;
  #hls;
  #playlist = "";
  #position = 0;
  #isPaused = false;

  /**
   * @param {HTMLVideoElement} element
   * @param {object} options
   * @param {() => string} options.token returns the newest token, or an empty string
   * @param {(reason: string) => void} options.onRefused called with the reason when the edge refuses; the video has stopped
   * @param {(details: string) => void} options.onFailed called when playback fails for another reason
   */
  constructor(element, { token, onRefused, onFailed }) {
    this.#element = element;
    this.#token = token;
    this.#onRefused = onRefused;
    this.#onFailed = onFailed;
  }

  /**
   * Play this film from where the last one stopped.
   * @param {string} playlist
   */
  play(playlist) {
    if (unplayable) return;
    this.#isPaused = false;
    if (this.#hls && playlist === this.#playlist) this.#run();
    else this.#load(playlist);
  }

  /** Pause until `play` is called. */
  pause() {
    this.#isPaused = true;
    this.#element.pause();
  }

  #load(playlist) {
    this.stop();
    this.#playlist = playlist;
    const hls = new Hls({
      ...BUFFERS,
      startPosition: this.#position,
      xhrSetup: (xhr, url) => {
        xhr.open("GET", url);
        if (this.#token()) xhr.setRequestHeader(HEADER, this.#token());
      },
    });
    hls.on(Hls.Events.ERROR, (_, error) => this.#onError(error));
    hls.on(Hls.Events.MANIFEST_PARSED, () => this.#run());
    hls.loadSource(playlist);
    hls.attachMedia(this.#element);
    this.#hls = hls;
  }

  /** Release the video; its last picture stays visible. */
  stop() {
    if (!this.#hls) return;
    this.#position = this.#element.currentTime;
    this.#element.poster = stillOf(this.#element);
    this.#hls.destroy();
    this.#hls = undefined;
  }

  #run() {
    if (!this.#isPaused) this.#element.play().catch(() => {}); // stopped in the meantime
  }

  #onError({ fatal, details, response, networkDetails }) {
    const isRefused = response?.code === 403;
    if (!isRefused && !fatal) return;
    this.stop();
    if (isRefused) this.#onRefused(networkDetails.getResponseHeader("x-playback"));
    else this.#onFailed(details);
  }
}

/** @param {HTMLVideoElement} video */
function stillOf(video) {
  if (!video.videoWidth) return video.poster; // nothing was shown since
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  return canvas.toDataURL("image/jpeg");
}
