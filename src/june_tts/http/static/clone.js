// Adding a voice: a take from the microphone or a file, its particulars, and the server's report on it.

import * as api from "./api.js";
import { byId, make, seconds, showError } from "./dom.js";
import { obstacle, Recorder } from "./recorder.js";

export class CloneForm extends EventTarget {
  #recorder = null;
  #take = null;

  constructor() {
    super();
    const hindrance = obstacle();
    byId("record").disabled = hindrance !== null;
    if (hindrance) byId("clone-status").textContent = hindrance;
    byId("record").addEventListener("click", () => this.#toggle());
    byId("file").addEventListener("change", () => this.#choose(byId("file").files[0]));
    byId("clone-name").addEventListener("input", () => suggestId());
    byId("clone-id").addEventListener("input", () => (byId("clone-id").dataset.own = "yes"));
    byId("clone-form").addEventListener("submit", (event) => this.#submit(event));
  }

  async #toggle() {
    if (this.#recorder) return this.#recorder.stop();
    byId("record").disabled = true; // until the browser has asked: a second click must not open a second take
    showError(byId("clone-error"), null);
    try {
      this.#recorder = await Recorder.start();
    } catch (error) {
      return showError(byId("clone-error"), error);
    } finally {
      byId("record").disabled = false;
    }
    this.#showRecording(true);
    this.#follow(this.#recorder);
    const take = await this.#recorder.take;
    this.#recorder = null;
    this.#showRecording(false);
    this.#choose(take);
  }

  #showRecording(running) {
    byId("recording").hidden = !running;
    byId("record").classList.toggle("live", running);
    byId("record-text").textContent = running ? "Stop recording" : "Record";
    byId("file").disabled = running;
    if (running) byId("take").hidden = true;
    byId("clone-status").textContent = running ? "Recording." : "";
  }

  #follow(recorder) {
    if (this.#recorder !== recorder) return;
    byId("record-time").textContent = seconds(recorder.elapsed, 1);
    byId("level").style.width = `${Math.min(100, Math.sqrt(recorder.level) * 100)}%`;
    setTimeout(() => this.#follow(recorder), 60);
  }

  #choose(file) {
    if (!file) return;
    const audio = byId("take-audio");
    URL.revokeObjectURL(audio.src);
    this.#take = file;
    audio.src = URL.createObjectURL(file);
    byId("take-name").textContent = `${file.name}, ${(file.size / 1024).toFixed(0)} KB`;
    byId("take").hidden = false;
    byId("report").hidden = true;
    showError(byId("clone-error"), null);
    byId("clone-status").textContent = "Ready to save.";
  }

  async #submit(event) {
    event.preventDefault();
    byId("save").disabled = true;
    byId("report").hidden = true;
    showError(byId("clone-error"), null);
    for (const field of byId("clone-form").querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
    byId("clone-status").textContent = "Sending …";
    try {
      this.#saved(await api.clone(this.#body()));
    } catch (error) {
      this.#refused(error);
    } finally {
      byId("save").disabled = false;
    }
  }

  /** What is missing is left out, not judged here: the server has the one sentence for it. */
  #body() {
    const form = new FormData();
    form.set("voice_id", byId("clone-id").value);
    form.set("voice_name", byId("clone-name").value);
    if (this.#take) form.set("file", this.#take, this.#take.name);
    for (const name of ["transcript", "language", "consent"]) {
      const value = byId(`clone-${name}`).value.trim();
      if (value) form.set(name, value);
    }
    return form;
  }

  #saved(answer) {
    byId("clone-status").textContent = `Saved as “${answer.voice_id}”.`;
    byId("report").replaceChildren(...reportNodes(answer.report));
    byId("report").hidden = false;
    byId("clone-form").reset();
    byId("clone-form").querySelector("details").open = false;
    delete byId("clone-id").dataset.own;
    byId("take").hidden = true;
    this.#take = null;
    this.dispatchEvent(new Event("saved"));
  }

  #refused(error) {
    const ids = { voice_id: "clone-id", voice_name: "clone-name", file: "file", transcript: "clone-transcript", language: "clone-language", consent: "clone-consent" };
    const field = byId(ids[error.param] ?? "");
    field?.setAttribute("aria-invalid", "true");
    field?.closest("details")?.setAttribute("open", "");
    byId("clone-status").textContent = "";
    showError(byId("clone-error"), error);
  }
}

/** Propose an id for the name, until the reader has written one. */
function suggestId() {
  const field = byId("clone-id");
  if (field.dataset.own) return;
  const plain = byId("clone-name").value.normalize("NFKD").toLowerCase();
  field.value = plain.replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "");
}

function share(part) {
  if (part === 0) return "none";
  return part < 0.0001 ? "under 0.01 %" : `${(part * 100).toFixed(2)} %`;
}

function reportNodes(report) {
  const level = (value) => `${value.toFixed(1).replace(/^-0\.0$/, "0.0").replace("-", "−")} dBFS`;
  const rows = [
    ["Duration", `${seconds(report.duration, 1)}, ${seconds(report.speech_duration, 1)} of it speech`],
    ["Level", `${level(report.level_dbfs)}, peak ${level(report.peak_dbfs)}`],
    ["Above noise", `${report.snr_db.toFixed(0)} dB`],
    ["Clipping", share(report.clipping)],
    ["Format", `${report.format}, ${report.sample_rate / 1000} kHz, ${report.channels === 1 ? "mono" : `${report.channels} channels`}`],
  ];
  const list = make("dl", {}, ...rows.map(([term, value]) => make("div", {}, make("dt", {}, term), make("dd", {}, value))));
  const advice = report.advice.length ? report.advice : ["Nothing to improve."];
  return [make("h3", {}, "What was heard"), list, make("ul", { className: "advice" }, ...advice.map((line) => make("li", {}, line)))];
}
