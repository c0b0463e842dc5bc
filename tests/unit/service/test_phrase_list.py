"""The list of phrases: what a line may be, and what is said of one that is not."""

import pytest

from june_tts.errors import SettingsError
from june_tts.service.phrase_list import MOST_LINES, read_list
from june_tts.types import Sampling

pytestmark = pytest.mark.unit


def test_a_line_is_a_text_in_the_usual_voice_and_formats() -> None:
    (found,) = read_list("# greetings\n\n  Hello there.  \n")
    assert (found.line, found.request.text, found.request.voice_id) == (3, "Hello there.", "default")
    assert [coding.name for coding in found.codings] == [
        "mp3 None None",
        "wav None None",
        "pcm 24000 None",
        "parts",
    ]


def test_an_object_says_how_it_is_spoken() -> None:
    (found,) = read_list(
        '{"text": "Hi.", "voice": "ada", "format": "mp3", "sample_rate": 44100, "bit_rate": 128000, '
        '"language": "en", "speed": 1.1, "seed": 3, "temperature": 0.5, "top_p": 0.9, '
        '"repetition_penalty": 1.1, "max_frames": 1024, "piece_chars": 200, "normalize": false}'
    )
    asked = found.request
    assert (asked.text, asked.voice_id, asked.language, asked.speed) == ("Hi.", "ada", "en", 1.1)
    assert asked.sampling == Sampling(0.5, 0.9, 1.1, 3, 1024)
    assert asked.piece_chars == 200
    assert not asked.normalize
    assert [coding.name for coding in found.codings] == ["mp3 44100 128000"]


def test_formats_may_be_several_and_each_is_made_once() -> None:
    (found,) = read_list('{"text": "Hi.", "format": ["wav", "opus", "wav"]}')
    assert [coding.name for coding in found.codings] == ["wav None None", "opus None None"]


def test_what_is_spoken_on_sockets_and_in_rooms_is_a_format_of_its_own() -> None:
    named, alone = read_list('{"text": "Hi.", "format": "wav"}\n{"text": "Ho.", "format": "live"}')
    assert [coding.name for coding in named.codings] == ["wav None None"]
    assert [coding.name for coding in alone.codings] == ["parts"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"text": "Hi.", "format": ["live"], "sample_rate": 48000}', "line 2: sample_rate: live has"),
        ('{"text": "Hi.", "format": "live", "bit_rate": 64000}', "line 2: bit_rate: live has none"),
        ('{"text": "Hi.", "tempo": 2}', "line 2: tempo: Extra inputs"),
        ('{"text": "Hi.", "speed": 9}', "line 2: speed: Input should be less than or equal to 4"),
        ('{"text": "Hi.", "speed": "1"}', "line 2: speed: Input should be a valid number"),
        ('{"voice": "ada"}', "line 2: text: Field required"),
        ('{"text": "Hi."', "line 2: the line: Invalid JSON"),
        ('{"text": "Hi.", "format": "midi"}', "'ulaw', 'alaw' or 'live'"),
        ('{"text": "Hi.", "format": "room"}', "line 2: format: Input should be 'wav', "),
        ('{"text": "Hi.", "format": []}', "line 2: format"),
        ('{"text": "Hi.", "format": "wav", "bit_rate": 64000}', "line 2: bit_rate: wav has none"),
        ('{"text": "Hi.", "format": "opus", "sample_rate": 44100}', "line 2: sample_rate 44100: opus can"),
        ("x" * 2001, "line 2: text: String should have at most 2000"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(line: str, told: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read_list(f"Good morning.\n{line}\nGood night.")
    assert told in str(refused.value)
    assert "Hi." not in str(refused.value)


def test_a_list_may_not_be_endless() -> None:
    with pytest.raises(SettingsError, match=f"expected at most {MOST_LINES}"):
        read_list("\n" * (MOST_LINES + 1))
