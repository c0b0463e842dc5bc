// Plays samples as they arrive, each buffer starting on the very frame where the one before it ends.
// AudioBufferSourceNodes and not an AudioWorklet: a worklet exists only on https and localhost, and this page
// must also sound on http://192.168.… . The scheduling happens ahead of time, so a busy page makes no gaps.

import { RATE } from "./pcm.js";

const JITTER_S = 0.06; // the first sample, and the first after a gap, waits this long for its successors
const FADE_S = 0.01; // stopping on a loud sample would click
const OPEN_TIMEOUT_MS = 5000;

/** The audio output. Browsers refuse to open it before the first gesture. */
export class Output {
  #context = null;

  async open() {
    this.#context ??= new AudioContext({ sampleRate: RATE, latencyHint: "interactive" });
    if (this.#context.state === "running") return;
    const late = new Promise((_, reject) => setTimeout(reject, OPEN_TIMEOUT_MS, new Error("timeout")));
    try {
      await Promise.race([this.#context.resume(), late]);
    } catch {
      throw new Error("The browser did not open its audio output. Is a sound device connected?");
    }
  }

  /** Open it in advance, at a gesture that comes before the click: opening takes some 100 ms. */
  warm() {
    if (!this.#context && navigator.userActivation?.isActive) this.open().catch(() => {}); // the click reports it
  }

  begin() {
    return new Playback(this.#context);
  }
}

/** One utterance on its way to the ear. */
export class Playback {
  #context;
  #gain;
  #sources = new Set();
  #stretches = []; // [{start: context seconds, frames}], a new one after every gap
  #closed = false;
  #stoppedAt = null;
  #finish;

  constructor(context) {
    this.#context = context;
    this.#gain = new GainNode(context);
    this.#gain.connect(context.destination);
    this.finished = new Promise((resolve) => (this.#finish = resolve));
  }

  /** Queue float samples. Returns in how many seconds from now their first one sounds. */
  push(samples) {
    const now = this.#context.currentTime;
    let stretch = this.#stretches.at(-1);
    if (!stretch || endOf(stretch) < now) {
      stretch = { start: Math.ceil((now + JITTER_S) * RATE) / RATE, frames: 0 };
      this.#stretches.push(stretch);
    }
    const at = endOf(stretch);
    this.#schedule(samples, at);
    stretch.frames += samples.length;
    return at - now;
  }

  #schedule(samples, at) {
    const buffer = new AudioBuffer({ length: samples.length, sampleRate: RATE });
    buffer.copyToChannel(samples, 0);
    const source = new AudioBufferSourceNode(this.#context, { buffer });
    source.connect(this.#gain);
    source.onended = () => {
      this.#sources.delete(source);
      this.#finishIfDone();
    };
    this.#sources.add(source);
    source.start(at);
  }

  /** No more samples follow: `finished` resolves when the last one has sounded. */
  end() {
    this.#closed = true;
    this.#finishIfDone();
  }

  /** Fall silent now. */
  stop() {
    if (this.#stoppedAt !== null) return;
    const now = this.#context.currentTime;
    this.#stoppedAt = now;
    this.#gain.gain.setTargetAtTime(0, now, FADE_S / 3);
    for (const source of this.#sources) source.stop(now + FADE_S);
    this.end();
  }

  #finishIfDone() {
    if (this.#closed && this.#sources.size === 0) this.#finish();
  }

  get gaps() {
    return Math.max(0, this.#stretches.length - 1);
  }

  /** Frames that have sounded so far. */
  get heard() {
    const now = this.#stoppedAt ?? this.#context.currentTime;
    const part = ({ start, frames }) => Math.min(frames, Math.max(0, Math.round((now - start) * RATE)));
    return this.#stretches.reduce((sum, stretch) => sum + part(stretch), 0);
  }

  /** Seconds of audio queued and not heard yet. */
  get ahead() {
    const last = this.#stretches.at(-1);
    return last ? Math.max(0, endOf(last) - this.#context.currentTime) : 0;
  }
}

const endOf = (stretch) => stretch.start + stretch.frames / RATE;
