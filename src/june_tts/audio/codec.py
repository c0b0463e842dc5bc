"""Encoders of libav, muxed into memory that is emptied after every call."""

from fractions import Fraction
from typing import cast

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext

from june_tts.audio.formats import Spec
from june_tts.audio.libav import one_thread
from june_tts.audio.pcm import to_int16
from june_tts.audio.resample import Resampler
from june_tts.types import Samples

MUX_BUFFER_BYTES = 4096


class _Sink:
    """A write-only file without seek, which tells libav that what was written is gone."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def write(self, data: bytes) -> int:
        self._bytes += data
        return len(data)

    def drain(self) -> bytes:
        ready = bytes(self._bytes)
        self._bytes.clear()
        return ready


class _Codec:
    """What exists while an encoder is open: codec, muxer and resampler of one stream."""

    def __init__(self, spec: Spec, source_rate: int, sample_rate: int, bit_rate: int | None) -> None:
        one_thread()
        self.resampler = Resampler(source_rate, sample_rate)
        self.sink = _Sink()
        self._rate = sample_rate
        self._spec = spec
        self._bit_rate = bit_rate or spec.bit_rate(sample_rate)
        self._pts = 0
        options = {**spec.container_options, "flush_packets": "1"}
        self._container = av.open(
            self.sink, "w", format=spec.container, container_options=options, buffer_size=MUX_BUFFER_BYTES
        )
        stream = self._container.add_stream(
            spec.codec, rate=sample_rate, options=dict(spec.codec_options), layout="mono"
        )
        self._stream = cast(av.AudioStream, stream)
        self._set_up(self._stream.codec_context)
        self._container.start_encoding()

    def _set_up(self, context: AudioCodecContext) -> None:
        context.format = self._spec.sample_format
        if self._bit_rate is not None:
            context.bit_rate = self._bit_rate
        # a thread pool for each of many streams costs more than it brings
        context.thread_count = 1

    def encode(self, samples: Samples) -> None:
        if not samples.size:
            return
        data = to_int16(samples) if self._spec.sample_format == "s16" else samples
        frame = av.AudioFrame.from_ndarray(data[np.newaxis], self._spec.sample_format, "mono")
        frame.sample_rate = self._rate
        frame.time_base = Fraction(1, self._rate)
        frame.pts = self._pts
        self._pts += samples.size
        self._container.mux(self._stream.encode(frame))

    def flush(self) -> None:
        if self._pts:
            self._container.mux(self._stream.encode(None))

    def close(self) -> None:
        self._container.close()


class CodecEncoder:
    """An `Encoder` for every format that needs a codec; `bit_rate` in bits per second, None for its own."""

    def __init__(self, spec: Spec, source_rate: int, sample_rate: int, bit_rate: int | None = None) -> None:
        self.media_type = spec.media_type
        self.sample_rate = sample_rate
        self._codec: _Codec | None = _Codec(spec, source_rate, sample_rate, bit_rate)

    def encode(self, samples: Samples) -> bytes:
        codec = self._open()
        codec.encode(codec.resampler.feed(samples))
        return codec.sink.drain()

    def finish(self) -> bytes:
        codec = self._open()
        codec.encode(codec.resampler.finish())
        codec.flush()
        self.close()
        return codec.sink.drain()

    def close(self) -> None:
        codec, self._codec = self._codec, None
        if codec is not None:
            codec.close()

    def _open(self) -> _Codec:
        if self._codec is None:
            raise ValueError("the encoder is closed")
        return self._codec
