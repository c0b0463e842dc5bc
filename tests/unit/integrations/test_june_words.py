"""The plugin for LiveKit Agents: times of characters become words, and what a `TTS` is made of is checked."""

from typing import Any

import pytest
from livekit.agents.voice.io import TimedString
from livekit.plugins import june
from livekit.plugins.june.options import Options
from livekit.plugins.june.wire import socket_url
from livekit.plugins.june.words import Words

pytestmark = pytest.mark.unit


def alignment(text: str, begin: int = 0, each: int = 100) -> dict[str, Any]:
    """Every character lasts `each` ms, from `begin` ms on."""
    return {
        "chars": [*text],
        "charStartTimesMs": [begin + each * at for at in range(len(text))],
        "charDurationsMs": [each] * len(text),
    }


def timed(words: list[TimedString]) -> list[tuple[str, object, object]]:
    return [(str(word), word.start_time, word.end_time) for word in words]


def test_a_word_is_given_with_its_space_and_without_the_time_of_it() -> None:
    words = Words()
    assert timed(words.whole(alignment("Hi you "))) == [("Hi ", 0.0, 0.2), ("you ", 0.3, 0.6)]


def test_a_word_that_two_replies_share_is_given_once_it_is_whole() -> None:
    words = Words()
    assert words.whole(alignment("go")) == []
    assert timed(words.whole(alignment("od ", begin=200))) == [("good ", 0.0, 0.4)]
    assert words.last() == []


def test_what_is_left_at_the_end_is_a_word() -> None:
    words = Words()
    words.whole(alignment("the end."))
    assert timed(words.last()) == [("end.", 0.4, 0.8)]


def test_no_times_are_no_words() -> None:
    words = Words()
    assert words.whole(None) == []
    assert words.whole(alignment(" \n")) == []
    assert words.last() == []


def options(**given: Any) -> Options:
    usual = {
        "base_url": "http://june:8000",
        "api_key": None,
        "voice_id": "joe",
        "language": None,
        "speed": 1.0,
        "sample_rate": 24_000,
    }
    return Options(**usual | given)


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_url": "june:8000"},
        {"base_url": "ws://june:8000"},
        {"base_url": "http://"},
        {"base_url": "http://june:8000?a=b"},
        {"voice_id": ""},
        {"speed": 0.2},
        {"speed": 4.1},
        {"speed": float("nan")},
        {"sample_rate": 11_025},
    ],
    ids=str,
)
def test_an_option_out_of_range_is_refused_with_its_name_and_value(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(ValueError, match=f"{name} is .*"):
        options(**wrong)


def test_the_socket_s_address_has_the_voice_the_rate_and_the_language() -> None:
    address = socket_url(options(base_url="https://june/tts/", voice_id="my voice/ä", language="en-US"))
    begin, _, query = address.partition("?")
    assert begin == "wss://june/tts/v1/text-to-speech/my%20voice%2F%C3%A4/multi-stream-input"
    assert {"output_format=pcm_24000", "language_code=en-US"} <= set(query.split("&"))


async def test_the_environment_says_what_the_arguments_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUNE_BASE_URL", "http://elsewhere:9000")
    monkeypatch.setenv("JUNE_API_KEY", "from outside")
    assert june.TTS().options.base_url == "http://elsewhere:9000"
    assert june.TTS().options.headers == {"Authorization": "Bearer from outside"}
    given = june.TTS(base_url="http://here:1", api_key="mine").options
    assert (given.base_url, given.headers) == ("http://here:1", {"Authorization": "Bearer mine"})
    monkeypatch.delenv("JUNE_BASE_URL")
    monkeypatch.delenv("JUNE_API_KEY")
    assert (june.TTS().options.base_url, june.TTS().options.headers) == ("http://127.0.0.1:8000", {})


async def test_the_key_is_not_shown() -> None:
    assert "secret" not in repr(june.TTS(api_key="secret").options)


async def test_options_that_are_refused_change_nothing() -> None:
    tts = june.TTS(voice_id="joe")
    with pytest.raises(ValueError, match="speed"):
        tts.update_options(voice_id="ann", speed=40.0)
    assert tts.options.voice_id == "joe"
