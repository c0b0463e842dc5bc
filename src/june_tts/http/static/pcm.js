// Samples: from bytes off the network to floats for the output, and to a WAV file.

export const RATE = 24000;
const WAV_HEADER = 44;

/** Turns byte chunks of any size into whole s16le samples: a chunk may end in the middle of one. */
export class SampleFramer {
  #half = null;

  push(bytes) {
    const joined = this.#half === null ? bytes : prepend(this.#half, bytes);
    const count = joined.length >> 1;
    this.#half = joined.length % 2 ? joined[joined.length - 1] : null;
    const view = new DataView(joined.buffer, joined.byteOffset, joined.length);
    return Int16Array.from({ length: count }, (_, i) => view.getInt16(2 * i, true));
  }
}

function prepend(byte, bytes) {
  const joined = new Uint8Array(bytes.length + 1);
  joined[0] = byte;
  joined.set(bytes, 1);
  return joined;
}

/** Read a response body as Int16Arrays. Leaving the loop early cancels the request. */
export async function* samplesOf(stream) {
  const framer = new SampleFramer();
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const samples = framer.push(value);
      if (samples.length) yield samples;
    }
  } finally {
    reader.cancel().catch(() => {}); // already broken or aborted: there is nothing left to cancel
  }
}

export const toFloat = (samples) => Float32Array.from(samples, (value) => value / 32768);

/** The first `frames` samples of the chunks. */
export function take(chunks, frames) {
  const taken = [];
  for (const chunk of chunks) {
    if (frames <= 0) break;
    taken.push(chunk.subarray(0, frames));
    frames -= chunk.length;
  }
  return taken;
}

/** A WAV file of s16le mono chunks. The chunks are in this machine's byte order, little endian wherever browsers run. */
export function wavFile(chunks) {
  const bytes = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
  const header = new DataView(new ArrayBuffer(WAV_HEADER));
  const text = (at, value) => [...value].forEach((c, i) => header.setUint8(at + i, c.charCodeAt(0)));
  text(0, "RIFF");
  header.setUint32(4, WAV_HEADER - 8 + bytes, true);
  text(8, "WAVEfmt ");
  header.setUint32(16, 16, true); // size of the format block
  header.setUint16(20, 1, true); // PCM
  header.setUint16(22, 1, true); // channels
  header.setUint32(24, RATE, true);
  header.setUint32(28, RATE * 2, true); // bytes a second
  header.setUint16(32, 2, true); // bytes a frame
  header.setUint16(34, 16, true); // bits a sample
  text(36, "data");
  header.setUint32(40, bytes, true);
  return new Blob([header, ...chunks], { type: "audio/wav" });
}
