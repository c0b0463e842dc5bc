"""Each API is asked in its own words, and what it cannot take is refused by name."""

from typing import Any

import pytest

from june_tts.errors import InvalidRequest
from june_tts.load.target import Target
from june_tts.load.wav import PcmCounter, WavCounter

pytestmark = pytest.mark.unit

HOST = "http://127.0.0.1:8000"


def test_openai_is_asked_for_streamed_pcm() -> None:
    target = Target(HOST)
    assert target.endpoint == f"{HOST}/v1/audio/speech"
    assert target.body("Hi.") == {
        "input": "Hi.",
        "model": "tts-1",
        "voice": "alloy",
        "response_format": "pcm",
        "stream_format": "audio",
    }


def test_openai_takes_voice_model_and_format() -> None:
    body = Target(HOST, voice="joe", model="m", format="wav").body("Hi.")
    assert (body["voice"], body["model"], body["response_format"]) == ("joe", "m", "wav")


def test_fish_takes_its_voice_in_the_body_and_its_model_in_a_header() -> None:
    target = Target(HOST, "fish", voice="v", model="s1", format="pcm", pcm_rate=16_000)
    assert target.endpoint == f"{HOST}/v1/tts"
    assert target.body("Hi.") == {
        "text": "Hi.",
        "format": "pcm",
        "streaming": True,
        "reference_id": "v",
        "sample_rate": 16_000,
    }
    assert target.headers()["model"] == "s1"


def test_piper_takes_a_text_and_perhaps_a_voice() -> None:
    assert Target(HOST, "piper").body("Hi.") == {"text": "Hi."}
    assert Target(HOST, "piper", voice="v").body("Hi.") == {"text": "Hi.", "voice": "v"}
    assert Target(HOST, "piper").endpoint == f"{HOST}/synthesize"


@pytest.mark.parametrize("url", [f"{HOST}/", f"{HOST}/v1", f"{HOST}/v1/"])
def test_a_base_url_may_end_as_clients_write_it(url: str) -> None:
    assert Target(url).endpoint == f"{HOST}/v1/audio/speech"


def test_the_key_is_sent_and_not_shown() -> None:
    target = Target(HOST, api_key="secret")
    assert target.headers()["authorization"] == "Bearer secret"
    assert "secret" not in repr(target)


@pytest.mark.parametrize(
    ("target", "rate"),
    [
        (Target(HOST), 24_000),
        (Target(HOST, "fish", format="pcm"), 44_100),
        (Target(HOST, "fish", format="pcm", pcm_rate=8000), 8000),
    ],
)
def test_pcm_is_counted_at_the_rate_of_its_api(target: Target, rate: int) -> None:
    counter = target.counter()
    assert isinstance(counter, PcmCounter)
    assert counter.byte_rate == 2 * rate


def test_every_answer_gets_a_counter_of_its_own() -> None:
    target = Target(HOST, "piper")
    assert isinstance(target.counter(), WavCounter)
    assert target.counter() is not target.counter()


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"url": "127.0.0.1:8000"}, "url"),
        ({"url": "ftp://host"}, "url"),
        ({"url": "http://"}, "url"),
        ({"url": "http://host:port"}, "url"),
        ({"url": HOST, "api": "piper", "format": "pcm"}, "format"),
        ({"url": HOST, "api": "piper", "model": "m"}, "model"),
        ({"url": HOST, "format": "wav", "pcm_rate": 8000}, "pcm_rate"),
        ({"url": HOST, "api_key": "a\nb"}, "api_key"),
    ],
)
def test_what_an_api_cannot_take_is_refused_by_name(given: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Target(**given)
    assert refused.value.param == param
