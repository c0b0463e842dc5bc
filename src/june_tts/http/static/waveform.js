// The sound as bars: solid what has been heard, pale what has arrived and waits to be heard.

import { RATE } from "./pcm.js";

const BIN = RATE / 50; // one peak per 20 ms
const PITCH = 5; // CSS pixels from bar to bar
const BAR = 3;
const FIRST_VIEW_S = 5; // doubled whenever the sound outgrows it: the bars do not creep all the time

export class Waveform {
  #canvas;
  #peaks = [];
  #frames = 0;
  #heard = 0;
  #done = false;

  constructor(canvas) {
    this.#canvas = canvas;
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  reset() {
    this.#peaks = [];
    this.#frames = 0;
    this.#done = false;
    this.draw(0);
  }

  add(samples) {
    for (const value of samples) {
      const bin = Math.floor(this.#frames++ / BIN);
      this.#peaks[bin] = Math.max(this.#peaks[bin] ?? 0, Math.abs(value) / 32768);
    }
  }

  /** All samples are here: let them fill the whole width. */
  settle(frames = this.#frames) {
    this.#frames = frames;
    this.#peaks.length = Math.min(this.#peaks.length, Math.ceil(frames / BIN));
    this.#done = true;
  }

  draw(heard = this.#heard) {
    this.#heard = heard;
    const { width, height } = this.#fit();
    const pen = this.#canvas.getContext("2d");
    const style = getComputedStyle(this.#canvas);
    const bars = Math.max(1, Math.floor(width / PITCH));
    const perBar = this.#view() / bars;
    pen.clearRect(0, 0, width, height);
    for (let i = 0; i < bars; i++) {
      const peak = this.#peak(i * perBar, (i + 1) * perBar);
      const size = Math.max(BAR, peak ** 0.7 * height);
      pen.fillStyle = style.getPropertyValue(this.#ink(i * perBar, heard));
      pen.beginPath();
      pen.roundRect(i * PITCH, (height - size) / 2, BAR, size, BAR / 2);
      pen.fill();
    }
  }

  #fit() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const scale = devicePixelRatio || 1;
    this.#canvas.width = Math.round(width * scale); // also clears the transform of the last drawing
    this.#canvas.height = Math.round(height * scale);
    this.#canvas.getContext("2d").scale(scale, scale);
    return { width, height };
  }

  /** How many frames the whole width stands for. */
  #view() {
    if (this.#done && this.#frames) return this.#frames;
    let view = FIRST_VIEW_S * RATE;
    while (view < this.#frames) view *= 2;
    return view;
  }

  #ink(frame, heard) {
    if (frame >= this.#frames) return "--wave-empty";
    return frame < heard ? "--wave-heard" : "--wave-waiting";
  }

  #peak(from, to) {
    let peak = 0;
    const last = Math.min(this.#peaks.length, Math.max(Math.ceil(to / BIN), Math.floor(from / BIN) + 1));
    for (let i = Math.floor(from / BIN); i < last; i++) peak = Math.max(peak, this.#peaks[i] ?? 0);
    return peak;
  }
}
