"""The engine fish behind the Engine port: over a process of fakes."""

import asyncio
import os
import signal
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.fish_engines import CLONED, Recordings, engine, utterance, written
from tests.fish_handles import QUICK, SLOW_STEP, command, options, until

from june_tts.engine.fish import VOICE, FishEngine, FishRules, sampling
from june_tts.engine.fish_voices import EngineCodec
from june_tts.errors import EngineFailed, InvalidRequest, ModelUnavailable, VoiceNotFound
from june_tts.fish.handle import Handle
from june_tts.fish.sequence import SamplingParams
from june_tts.models.fingerprint import fingerprint
from june_tts.types import AudioChunk, InlineReference, Sampling, Utterance

pytestmark = pytest.mark.integration


async def spoken(made: FishEngine, said: Utterance, *texts: str) -> NDArray[np.float32]:
    chunks = [chunk async for chunk in made.synthesize(said, written(*(texts or ("Hello there.",))))]
    assert all(isinstance(chunk, AudioChunk) and chunk.sample_rate == 2000 for chunk in chunks)
    return np.concatenate([np.zeros(0, np.float32), *(chunk.samples for chunk in chunks)])


async def test_it_speaks_and_says_what_it_can_do(tmp_path: Path) -> None:
    async with engine(tmp_path) as made:
        assert [voice.id for voice in made.voices()] == [VOICE]
        able = made.capabilities()
        assert able.clones and able.parameters >= {"temperature", "top_p", "repetition_penalty", "seed"}
        assert (await spoken(made, utterance())).size >= 12 * 4
        assert (made.health.status, made.health.restarts, made.health.device) == ("ready", 0, "fake")
        await until(lambda: made.counts.frames >= 12)
        assert made.counts.slots == 16 and made.active == 0


async def test_the_built_in_voice_is_the_same_every_time_and_a_seed_changes_it(tmp_path: Path) -> None:
    async with engine(tmp_path) as made:
        first = await spoken(made, utterance())
        assert np.array_equal(first, await spoken(made, utterance()))
        assert not np.array_equal(first, await spoken(made, utterance(seed=7)))
        seeded = await spoken(made, utterance(CLONED, seed=7))
        assert np.array_equal(seeded, await spoken(made, utterance(CLONED, seed=7)))
        assert not np.array_equal(
            await spoken(made, utterance(CLONED)), await spoken(made, utterance(CLONED))
        )


async def test_a_cloned_voice_and_recordings_of_the_request_are_what_it_speaks_like(tmp_path: Path) -> None:
    voices = Recordings()
    async with engine(tmp_path, voices=voices) as made:
        plain = await spoken(made, utterance(seed=1))
        cloned = await spoken(made, utterance(CLONED, seed=1))
        inline = replace(utterance(CLONED, seed=1), references=(InlineReference(b"\1", "Mine."),))
        other = replace(inline, references=(InlineReference(b"\2", "Mine."),))
        sounds = [plain, cloned, await spoken(made, inline), await spoken(made, other)]
        assert voices.asked == ["ann", "Mine.", "Mine."]
        with pytest.raises(VoiceNotFound):
            await spoken(made, utterance(replace(CLONED, id="bob")))
    assert voices.closed
    assert len({sound.tobytes() for sound in sounds}) == 4


async def test_the_second_request_with_a_voice_finds_what_was_computed_of_it(tmp_path: Path) -> None:
    async with engine(tmp_path) as made:
        for _ in range(3):
            await spoken(made, utterance(CLONED))
        await until(lambda: made.counts.prefix_hits == 2)
        assert made.counts.prefix_misses == 1


async def test_a_long_text_is_spoken_turn_by_turn_each_after_the_one_before(tmp_path: Path) -> None:
    sentence = "This sentence has some words in it, and they are spoken one after the other. "
    async with engine(tmp_path) as made:
        one = await spoken(made, utterance(), sentence)
        six = await spoken(made, utterance(), *[sentence] * 6)
        assert six.size > 2 * one.size
        assert np.array_equal(one[:40], six[:40]), "the first turn depends on what follows"


async def test_speed_changes_the_duration(tmp_path: Path) -> None:
    async with engine(tmp_path) as made:
        ordinary = await spoken(made, utterance(max_frames=60))
        twice = await spoken(made, utterance(speed=2.0, max_frames=60))
        assert twice.size == pytest.approx(ordinary.size / 2, rel=0.2)


async def test_it_runs_ahead_of_its_listener_by_the_limit_and_closing_stops_it(tmp_path: Path) -> None:
    async with engine(tmp_path, ahead=0.2, window=30) as made:
        endless = replace(utterance(), sampling=Sampling(max_frames=1000))
        source = made.synthesize(endless, written("Words and more words. " * 8))
        async with aclosing(source) as chunks:
            await anext(chunks)
            await asyncio.sleep(0.5)
            frames = made.counts.frames
            await asyncio.sleep(0.5)
            assert made.counts.frames == frames < 400
            assert made.active == 1
        assert made.active == 0
        await until(lambda: made.counts.slots_taken == 0)


async def test_a_killed_process_fails_the_stream_and_the_next_one_is_served(tmp_path: Path) -> None:
    async with engine(tmp_path, *SLOW_STEP) as made:
        long = replace(utterance(), sampling=Sampling(max_frames=1000))
        stream = asyncio.create_task(spoken(made, long, "Words and more words. " * 8))
        await until(lambda: made.counts.slots_taken == 1)
        pid = made._handle.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(EngineFailed):
            await asyncio.wait_for(stream, 1.0)
        assert made.health.status == "restarting"
        assert made.voices(), "the catalogue must not lose its voice meanwhile"
        assert (await spoken(made, utterance())).size
        assert (made.health.status, made.counts.restarts) == ("ready", 1)


async def test_codes_are_made_and_heard_through_its_codec(tmp_path: Path) -> None:
    async with engine(tmp_path) as made:
        assert (made.codec.sample_rate, made.codec.codebooks) == (2000, 3)
        codes = await made.codec.encode(np.zeros(40, np.float32))
        assert codes.shape == (3, 10)
        assert (await made.codec.decode(codes)).size == 40


async def test_a_folder_without_a_tokenizer_is_named(tmp_path: Path) -> None:
    handle = Handle(command(), options(), limits=QUICK)
    made = FishEngine(tmp_path, handle, EngineCodec(handle, tmp_path), Recordings(), FishRules(1.0))
    with pytest.raises(ModelUnavailable, match="tokenizer.tiktoken"):
        await made.start()


def test_every_parameter_reaches_the_model() -> None:
    asked = Sampling(temperature=0.3, top_p=0.4, repetition_penalty=1.3, seed=9, max_frames=5)
    params = sampling(asked, seed=1, semantic_only=True)
    assert (params.temperature, params.top_p, params.repetition_penalty) == (0.3, 0.4, 1.3)
    assert (params.seed, params.max_frames, params.semantic_only, params.greedy) == (9, 5, True, False)
    plain = sampling(Sampling(), seed=1, semantic_only=False)
    assert replace(plain, repeat_guard=0) == SamplingParams(seed=1)
    assert sampling(Sampling(temperature=0.0), seed=1, semantic_only=False).greedy


@pytest.mark.parametrize("asked", [Sampling(top_p=0.0), Sampling(seed=-1), Sampling(max_frames=0)])
def test_what_the_model_cannot_draw_is_refused_by_name(asked: Sampling) -> None:
    with pytest.raises(InvalidRequest) as caught:
        sampling(asked, seed=1, semantic_only=False)
    assert caught.value.param in asked.given()


def test_the_fingerprint_tells_codecs_apart(tmp_path: Path) -> None:
    weights = np.random.default_rng(1).bytes(3 << 20)
    path = tmp_path / "codec.pth"
    path.write_bytes(weights)
    first = fingerprint(path)
    assert fingerprint(path) == first and len(first) < 180
    path.write_bytes(weights[:-1] + b"x")
    assert fingerprint(path) != first
    with pytest.raises(ModelUnavailable, match="nowhere"):
        fingerprint(tmp_path / "nowhere")


@pytest.mark.parametrize("speed", [1.0, 1.5])
async def test_every_word_has_a_time_in_order_within_the_audio(tmp_path: Path, speed: float) -> None:
    texts = ["This sentence has some words in it, and a few more.", "It is followed by another one."] * 3
    async with engine(tmp_path) as made:
        chunks = [chunk async for chunk in made.synthesize(utterance(speed=speed), written(*texts))]
    words = [word for chunk in chunks for word in chunk.words]
    assert [word.text for word in words] == " ".join(texts).split()
    edges = [edge for word in words for edge in (word.start, word.end)]
    assert edges == sorted(edges)
    seconds = sum(chunk.samples.size for chunk in chunks) / 2000
    assert 0 <= edges[0] < edges[-1] <= seconds
    sent = 0.0
    for chunk in chunks:
        sent += chunk.samples.size / 2000
        assert all(word.end <= sent + 1e-9 for word in chunk.words)
