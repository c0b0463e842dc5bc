"""G.711 against the Recommendation's decision values and an independent decoder, for every 16-bit sample."""

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.unit.audio.sounds import noise, tone

from june_tts.audio.encode import open_encoder
from june_tts.audio.g711 import Law, companded
from june_tts.types import Samples

pytestmark = pytest.mark.unit

EVERY_SAMPLE = np.arange(-32768, 32768)
DECODERS = {"ulaw": "pcm_mulaw", "alaw": "pcm_alaw"}
STEPS = {
    # width and number of the steps of each segment, as the Recommendation's tables list them
    "ulaw": [(1, 1), (2, 15), *((4 << segment, 16) for segment in range(7))],
    "alaw": [(2, 32), *((4 << segment, 16) for segment in range(6))],
}
BITS = {"ulaw": 14, "alaw": 13}
LAWS: tuple[Law, ...] = ("ulaw", "alaw")


def decoded(law: Law, codes: bytes) -> NDArray[np.int64]:
    decoder = av.CodecContext.create(DECODERS[law], "r")
    assert isinstance(decoder, av.AudioCodecContext)
    decoder.sample_rate, decoder.layout = 8000, "mono"
    frames = decoder.decode(av.Packet(codes))
    return np.concatenate([frame.to_ndarray()[0] for frame in frames]).astype(np.int64)


def every_code(law: Law) -> bytes:
    return companded((EVERY_SAMPLE / 32768).astype(np.float32), law)


@pytest.mark.parametrize("law", LAWS)
def test_every_sample_gets_the_level_of_the_interval_that_it_is_in(law: Law) -> None:
    decisions = np.cumsum([0, *(width for width, count in STEPS[law] for _ in range(count))])
    levels = np.unique(np.abs(decoded(law, bytes(range(256)))))
    assert levels.size == 128
    cut = 16 - BITS[law]
    magnitude = np.where(EVERY_SAMPLE < 0, ~EVERY_SAMPLE, EVERY_SAMPLE) >> cut
    interval = np.minimum(np.searchsorted(decisions, magnitude, side="right") - 1, 127)
    expected = np.where(EVERY_SAMPLE < 0, -levels[interval], levels[interval])
    np.testing.assert_array_equal(decoded(law, every_code(law)), expected)


@pytest.mark.parametrize("law", LAWS)
def test_what_was_decoded_is_encoded_to_the_same_code(law: Law) -> None:
    codes = bytes(range(256))
    again = companded((decoded(law, codes) / 32768).astype(np.float32), law)
    # µ-law has a negative zero, which is no number of its own
    assert again == (codes.replace(b"\x7f", b"\xff") if law == "ulaw" else codes)


@pytest.mark.parametrize("law", LAWS)
def test_only_samples_beside_a_segments_border_differ_from_another_encoder(law: Law) -> None:
    """libav rounds to the nearest level, the Recommendation cuts where a segment begins: the levels that both
    choose are neighbours."""
    encoder = av.CodecContext.create(DECODERS[law], "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate, encoder.layout, encoder.format = 8000, "mono", "s16"
    frame = av.AudioFrame.from_ndarray(EVERY_SAMPLE.astype(np.int16)[None], "s16", "mono")
    frame.sample_rate = 8000
    theirs = decoded(law, b"".join(bytes(packet) for packet in encoder.encode(frame)))
    ours = decoded(law, every_code(law))
    levels = np.unique(ours)
    apart = np.abs(np.searchsorted(levels, ours) - np.searchsorted(levels, theirs))
    assert apart.max() <= 1
    assert np.mean(apart > 0) < 0.02


@pytest.mark.parametrize(("law", "silence"), [("ulaw", 0xFF), ("alaw", 0xD5)])
def test_silence_is_the_code_that_telephone_networks_send(law: Law, silence: int) -> None:
    assert set(companded(np.zeros(80, np.float32), law)) == {silence}


@pytest.mark.parametrize("law", LAWS)
def test_what_is_too_loud_is_the_loudest_code_and_never_wraps(law: Law) -> None:
    loud = companded(np.array([9.0, -9.0], np.float32), law)
    assert loud == companded(np.array([1.0, -1.0], np.float32), law)
    assert decoded(law, loud)[0] > 31_000 > -31_000 > decoded(law, loud)[1]


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("source", [22_050, 24_000, 44_100])
@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, 3000), max_size=8))
def test_any_chunking_of_any_rate_gives_the_same_bytes(law: Law, source: int, cuts: list[int]) -> None:
    samples = noise(0.4, source)
    encoder, whole = open_encoder(law, source), open_encoder(law, source)
    parts: list[Samples] = np.split(samples, np.minimum(np.cumsum(cuts), samples.size)) if cuts else [samples]
    chunked = b"".join(encoder.encode(part) for part in parts) + encoder.finish()
    assert chunked == whole.encode(samples) + whole.finish()
    assert len(chunked) == pytest.approx(0.4 * 8000, abs=1)


@pytest.mark.parametrize("law", LAWS)
def test_what_lies_above_4_khz_is_filtered_and_not_folded_down(law: Law) -> None:
    seconds, rate = 0.5, 24_000
    high = (0.5 * np.sin(2 * np.pi * 6000 * np.arange(seconds * rate) / rate)).astype(np.float32)
    encoder = open_encoder(law, rate)
    heard = decoded(law, encoder.encode(high) + encoder.finish())[400:-400]
    plain = open_encoder(law, rate)
    kept = decoded(law, plain.encode(tone(seconds, rate, level=0.5)) + plain.finish())[400:-400]
    assert np.sqrt(np.mean(heard.astype(float) ** 2)) < 0.001 * np.sqrt(np.mean(kept.astype(float) ** 2))
