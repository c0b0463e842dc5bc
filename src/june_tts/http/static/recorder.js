// The microphone: one take at a time, with its level while it runs.

const LONGEST_MS = 60_000; // the server takes no longer recording
const TYPES = ["audio/webm;codecs=opus", "audio/ogg;codecs=opus", "audio/mp4"];
const RAW = { echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1 };

/** Why this page may not record, as a sentence; null where it may. */
export function obstacle() {
  if (!globalThis.isSecureContext || !navigator.mediaDevices) {
    return "Browsers record only on https or localhost. Upload a file instead.";
  }
  return globalThis.MediaRecorder ? null : "This browser cannot record. Upload a file instead.";
}

export class Recorder {
  #stream;
  #context;
  #meter;
  #recorder;
  #started;

  /** Ask for the microphone and begin. Rejects with a sentence when it is refused. */
  static async start() {
    const self = new Recorder();
    try {
      // no echo or noise processing: it would change the very voice that is to be kept
      self.#stream = await navigator.mediaDevices.getUserMedia({ audio: RAW });
    } catch (bad) {
      throw new Error(refusal(bad));
    }
    self.#listen();
    const mimeType = TYPES.find((type) => MediaRecorder.isTypeSupported(type));
    self.#recorder = new MediaRecorder(self.#stream, { mimeType, audioBitsPerSecond: 128_000 });
    self.take = self.#collect();
    self.#recorder.start();
    self.#started = performance.now();
    setTimeout(() => self.stop(), LONGEST_MS - 200); // a little early: encoders round up
    return self;
  }

  /** Seconds so far. */
  get elapsed() {
    return (performance.now() - this.#started) / 1000;
  }

  /** Peak of the last moment, 0 to 1. */
  get level() {
    const wave = new Float32Array(this.#meter.fftSize);
    this.#meter.getFloatTimeDomainData(wave);
    return wave.reduce((peak, value) => Math.max(peak, Math.abs(value)), 0);
  }

  /** End the take; `take` then resolves with it. */
  stop() {
    if (this.#recorder.state !== "inactive") this.#recorder.stop();
  }

  #listen() {
    this.#context = new AudioContext();
    this.#meter = new AnalyserNode(this.#context, { fftSize: 2048 });
    this.#context.createMediaStreamSource(this.#stream).connect(this.#meter);
  }

  #collect() {
    const parts = [];
    this.#recorder.addEventListener("dataavailable", (event) => parts.push(event.data));
    return new Promise((resolve) => this.#recorder.addEventListener("stop", () => {
      for (const track of this.#stream.getTracks()) track.stop(); // puts out the browser's recording light
      this.#context.close();
      resolve(named(parts, this.#recorder.mimeType));
    }));
  }
}

function named(parts, mimeType) {
  const type = mimeType.split(";")[0];
  const ending = { "audio/webm": "webm", "audio/ogg": "ogg", "audio/mp4": "m4a" }[type] ?? "bin";
  return new File(parts, `recording.${ending}`, { type });
}

function refusal(bad) {
  if (bad.name === "NotAllowedError") return "The browser was not allowed to use the microphone.";
  if (bad.name === "NotFoundError") return "No microphone was found.";
  return `The microphone could not be opened (${bad.name}).`;
}
