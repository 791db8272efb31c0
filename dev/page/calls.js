/** One screen's calls to the service. It stands in for what a client does about playback tokens. */

/** The nonce of this page load: a farewell of the page before it ends nothing here. */
const PLAY = crypto.getRandomValues(new Uint32Array(1))[0].toString(36);

export class Calls {
  /** Whether they fail, as under an ad blocker. */
  isBlocked = false;

  /** The newest one; it may have expired. */
  playbackToken = "";

  /** @param {() => void} onToken called after each new token */
  constructor(onToken) {
    this.onToken = onToken;
  }

  /** `fetch` for the client. */
  fetch = async (url, options) => {
    if (this.isBlocked) throw new TypeError("The call is blocked.");
    const response = await fetch(url, { ...options, body: withPlay(options.body) });
    await this.#keepToken(response.clone());
    return response;
  };

  async #keepToken(response) {
    if (!response.ok) return;
    const { playbackToken } = await response.json();
    if (!playbackToken) return;
    this.playbackToken = playbackToken;
    this.onToken();
  }
}

function withPlay(body) {
  return body && JSON.stringify({ play: PLAY, ...JSON.parse(body) });
}
