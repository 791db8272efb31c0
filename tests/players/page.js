/** The shared part of all players' pages: a stream, and the tests' actions on a player. */
import { StreamLimiter } from "/client/index.js";

const parameters = new URLSearchParams(location.search);
const service = parameters.get("service");

export const options = JSON.parse(parameters.get("options"));
export const video = document.querySelector("video");
export const stream = new StreamLimiter({ url: service }).stream({ userId: parameters.get("user") });

/** The address of a film behind the edge. */
const film = (name) => `${service}/cdn/${name}`;

const events = [];
for (const kind of ["admitted", "refused", "gone", "lapsed"]) stream.addEventListener(kind, () => events.push(kind));

/**
 * Give the tests a player.
 * @param {object} player
 * @param {{ detach: () => void }} player.attachment
 * @param {(url: string) => unknown} player.load loads a film, and may return a promise
 * @param {(height: number) => void} [player.choose] chooses a quality
 * @param {{ play: () => Promise<void> | undefined, pause: () => void }} [player.viewer] the object that a viewer's buttons call
 */
export function expose({ attachment, load, viewer = video, ...player }) {
  const play = () => void viewer.play()?.catch(() => {}); // interrupted by a pause, as long as no slot is held
  globalThis.player = {
    attachment,
    play,
    load: (name) => load(film(name)),
    follow: (name) => video.addEventListener("ended", async () => (await load(film(name)), play()), { once: true }),
    pause: () => viewer.pause(),
    seek: (seconds) => void (video.currentTime = seconds),
    video,
    stream,
    events,
    ...player,
  };
  load(film("index.m3u8"));
}
