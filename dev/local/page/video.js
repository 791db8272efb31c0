/** The video of a screen: hls.js, with the newest playback token on each of its requests. */

const HEADER = "cta-common-access-token";

// Close to nothing is fetched ahead or kept behind: what a player has, no edge takes back.
const BUFFERS = {
  maxBufferLength: 2,
  maxMaxBufferLength: 2,
  backBufferLength: 0,
  frontBufferFlushThreshold: 2, // the film's end, when it begins anew
};

const { Hls } = globalThis; // of a script that is not there without npm

/** Why there is no video, or an empty text. */
export const unplayable = !Hls
  ? "There is no video here: hls.js is not installed. make run fetches it where npm is."
  : !Hls.isSupported()
    ? "There is no video here: this browser lacks Media Source Extensions."
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
   * @param {() => string} options.token returns the newest token, or an empty text
   * @param {(reason: string) => void} options.onRefused called when the edge refuses, with its reason; it has stopped
   * @param {(details: string) => void} options.onFailed called when it cannot go on for another reason
   */
  constructor(element, { token, onRefused, onFailed }) {
    this.#element = element;
    this.#token = token;
    this.#onRefused = onRefused;
    this.#onFailed = onFailed;
  }

  /**
   * Play this film from where it stopped, or another one stopped.
   * @param {string} playlist
   */
  play(playlist) {
    if (unplayable) return;
    this.#isPaused = false;
    if (this.#hls && playlist === this.#playlist) this.#run();
    else this.#load(playlist);
  }

  /** Show a still picture, until it plays on. */
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

  /** Hand the video back; what was seen last stays, as a picture. */
  stop() {
    if (!this.#hls) return;
    this.#position = this.#element.currentTime;
    this.#element.poster = stillOf(this.#element);
    this.#hls.destroy();
    this.#hls = undefined;
  }

  #run() {
    if (!this.#isPaused) this.#element.play().catch(() => {}); // stopped meanwhile
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
  if (!video.videoWidth) return video.poster; // it has shown nothing since
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  return canvas.toDataURL("image/jpeg");
}
