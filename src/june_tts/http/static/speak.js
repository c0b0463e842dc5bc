// Text in, sound out: the states of the speak card (idle, connecting, playing, finished, stopped, error).

import * as api from "./api.js";
import { byId, make, seconds, showError } from "./dom.js";
import { Output } from "./player.js";
import { RATE, samplesOf, take, toFloat, wavFile } from "./pcm.js";
import { Waveform } from "./waveform.js";

const AHEAD_S = 20; // read no further ahead than this: the server then waits too, and a book costs no memory
const POLL_MS = 200;
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class Speaker {
  #output = new Output();
  #wave = new Waveform(byId("wave"));
  #run = null; // {abort, playback}: what sounds now
  #heard = []; // Int16Array chunks of the last utterance, for the download and for playing again

  warm() {
    this.#output.warm();
  }

  /** Speak what the form says. `wish` is the body of the request. */
  speak(wish) {
    const clicked = performance.now();
    const request = (signal) => api.speech(wish, signal).then(samplesOf);
    return this.#start(request, clicked);
  }

  again() {
    return this.#start(async () => this.#heard.slice(), performance.now(), { replay: true });
  }

  stop() {
    this.#run?.abort.abort();
    this.#run?.playback?.stop();
  }

  download() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(wavFile(this.#heard));
    link.download = "june.wav";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // the browser reads it after this turn
  }

  get busy() {
    return this.#run !== null;
  }

  async #start(request, clicked, { replay = false } = {}) {
    this.stop();
    const run = { abort: new AbortController(), playback: null, kept: [], clicked, replay, held: false };
    this.#run = run;
    this.#reset(run);
    try {
      const [chunks] = await Promise.all([request(run.abort.signal), this.#output.open()]);
      await this.#play(run, chunks);
      this.#close(run, run.abort.signal.aborted ? "stopped" : "finished");
    } catch (error) {
      run.playback?.end();
      if (!run.abort.signal.aborted) await run.playback?.finished; // let what did arrive sound
      run.abort.abort(); // where the sound output failed, the server need not go on
      this.#close(run, error.name === "AbortError" ? "stopped" : "error", error);
    }
  }

  async #play(run, chunks) {
    run.abort.signal.throwIfAborted();
    run.playback = this.#output.begin();
    for await (const samples of chunks) {
      const wait = run.playback.push(toFloat(samples));
      if (!run.kept.length) this.#firstSound(run, wait);
      run.kept.push(samples);
      this.#wave.add(samples);
      await this.#hold(run);
      run.abort.signal.throwIfAborted();
    }
    this.#allHere(run);
    run.playback.end();
    await run.playback.finished;
  }

  /** Wait while plenty is queued. */
  async #hold(run) {
    while (run.playback.ahead > AHEAD_S && !run.abort.signal.aborted) {
      run.held = true;
      await sleep(POLL_MS);
    }
  }

  #reset(run) {
    showError(byId("speak-error"), null);
    for (const name of ["text", "voice", "speed"]) byId(name).removeAttribute("aria-invalid");
    for (const name of run.replay ? ["gaps"] : ["first", "total", "length", "gaps"]) byId(name).textContent = "–";
    this.#wave.reset();
    this.#buttons(true);
    this.#show("connecting", "Waiting for the first sound …");
  }

  #firstSound(run, wait) {
    const first = performance.now() - run.clicked + wait * 1000;
    if (!run.replay) byId("first").textContent = `${Math.round(first)} ms`;
    this.#show("playing", "Speaking, more is being made …");
    this.#follow(run);
  }

  #allHere(run) {
    const took = (performance.now() - run.clicked) / 1000;
    const audio = duration(run.kept);
    if (run.replay || !audio) return;
    byId("total").textContent = seconds(took);
    // reading was held back to the pace of listening, so the ratio would say nothing of the server
    if (!run.held) byId("total").append(make("small", {}, `${(audio / took).toFixed(1)}× real time`));
    this.#show("playing", "Speaking, all of it is here.");
  }

  /** Keep the bars and the figures with the sound. With reduced motion: twice a second, not every frame. */
  #follow(run) {
    if (this.#run !== run) return;
    this.#wave.draw(run.playback.heard);
    byId("length").textContent = seconds(duration(run.kept));
    byId("gaps").textContent = run.playback.gaps;
    if (calm.matches) setTimeout(() => this.#follow(run), 500);
    else requestAnimationFrame(() => this.#follow(run));
  }

  #close(run, state, error) {
    if (this.#run !== run) return; // a newer utterance owns the card already
    this.#run = null;
    const heard = run.playback?.heard ?? 0;
    this.#heard = take(run.kept, heard);
    this.#wave.settle(heard);
    this.#wave.draw(heard);
    if (run.playback) byId("length").textContent = seconds(heard / RATE);
    this.#buttons(false);
    this.#show(state, ending(state, heard / RATE));
    if (state === "error") this.#refused(error);
  }

  #refused(error) {
    const field = byId({ input: "text", voice: "voice", speed: "speed" }[error.param] ?? "");
    field?.setAttribute("aria-invalid", "true");
    showError(byId("speak-error"), error instanceof TypeError ? new Error("The connection broke off.") : error);
  }

  #show(state, sentence) {
    byId("sound").dataset.state = state;
    byId("status").textContent = sentence;
  }

  #buttons(busy) {
    const stop = byId("stop");
    const focused = document.activeElement === stop;
    stop.disabled = !busy;
    if (focused && !busy) byId("speak").focus(); // a disabled button drops the keyboard's place
    for (const name of ["again", "download"]) byId(name).disabled = busy || !this.#heard.length;
  }
}

const duration = (chunks) => chunks.reduce((sum, chunk) => sum + chunk.length, 0) / RATE;

function ending(state, heard) {
  if (state === "finished") return heard ? `Done. ${seconds(heard, 1)} of speech.` : "Done. There was no sound in it.";
  if (state === "stopped") return heard ? `Stopped after ${seconds(heard, 1)}.` : "Stopped.";
  return heard ? `Broke off after ${seconds(heard, 1)}.` : "Not spoken.";
}
