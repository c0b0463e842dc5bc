import json
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from june_tts.models.piper_dir import PiperDir

pytestmark = pytest.mark.unit

CONFIG: dict[str, Any] = {
    "audio": {"sample_rate": 22050},
    "espeak": {"voice": "en-us"},
    "phoneme_type": "espeak",
    "phoneme_id_map": {"_": [0]},
    "num_speakers": 1,
    "speaker_id_map": {},
    "language": {"code": "en_US"},
    "dataset": "lessac",
}


def drop(folder: Path, stem: str, **changes: Any) -> Path:
    model = folder / f"{stem}.onnx"
    model.write_bytes(b"model")
    kept = {key: value for key, value in (CONFIG | changes).items() if value is not None}
    model.with_name(f"{model.name}.json").write_text(json.dumps(kept))
    return model


def ids(folder: PiperDir) -> list[str]:
    return [voice.id for voice in folder.voices()]


def test_a_folder_that_does_not_exist_has_no_voices(tmp_path: Path) -> None:
    assert PiperDir(tmp_path / "none").voices() == ()


def test_a_voice_is_described_by_its_config(tmp_path: Path) -> None:
    drop(tmp_path, "en_US-lessac-medium")
    (voice,) = PiperDir(tmp_path).voices()
    assert (voice.id, voice.name, voice.languages) == ("en_US-lessac-medium", "Lessac", ("en-US",))
    assert (voice.sample_rate, voice.license, voice.phoneme_type) == (22_050, "unknown", "espeak")


def test_a_voice_dropped_later_appears_and_a_removed_one_goes(tmp_path: Path) -> None:
    folder = PiperDir(tmp_path)
    assert ids(folder) == []
    model = drop(tmp_path, "de_DE-thorsten-low")
    assert ids(folder) == ["de_DE-thorsten-low"]
    model.unlink()
    assert ids(folder) == []


def test_a_voice_whose_config_comes_after_its_model_appears_when_it_is_whole(tmp_path: Path) -> None:
    folder = PiperDir(tmp_path)
    (tmp_path / "a.onnx").write_bytes(b"model")
    assert ids(folder) == []
    drop(tmp_path, "a")
    assert ids(folder) == ["a"]


def test_a_link_to_a_voice_elsewhere_is_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    model = drop(elsewhere, "x")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "x.onnx").symlink_to(model)
    (tmp_path / "here" / "x.onnx.json").symlink_to(f"{model}.json")
    assert ids(PiperDir(tmp_path / "here")) == ["x"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"audio": None}, "audio is missing"),
        ({"audio": {"sample_rate": "22050"}}, "sample_rate is '22050'"),
        ({"audio": {"sample_rate": 0}}, "sample_rate is 0"),
        ({"espeak": {}}, "voice is None"),
        ({"language": {"code": "../../etc"}}, "language.code"),
        ({"num_speakers": -1}, "num_speakers"),
        ({"speaker_id_map": {"a": 7}}, "speaker_id_map holds 7"),
        ({"phoneme_id_map": None}, "phoneme_id_map is missing"),
    ],
)
def test_a_broken_voice_is_skipped_with_one_warning_and_the_others_stay(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    drop(tmp_path, "bad", **changes)
    drop(tmp_path, "good")
    folder = PiperDir(tmp_path)
    with capture_logs() as logs:
        assert ids(folder) == ["good"]
        assert ids(folder) == ["good"]
    assert [log["event"] for log in logs] == ["piper voice skipped"]
    assert reason in logs[0]["reason"]


@pytest.mark.parametrize("raw", [b"", b"[1]", b"\xff\xfe", b"[" * 100_000, b'{"audio":'])
def test_a_config_that_is_no_json_object_is_skipped(tmp_path: Path, raw: bytes) -> None:
    drop(tmp_path, "bad")
    (tmp_path / "bad.onnx.json").write_bytes(raw)
    with capture_logs() as logs:
        assert PiperDir(tmp_path).voices() == ()
    assert len(logs) == 1


@pytest.mark.parametrize("stem", ["has space", ".hidden", "ä", "x" * 101])
def test_a_file_whose_name_is_no_voice_id_is_skipped(tmp_path: Path, stem: str) -> None:
    drop(tmp_path, stem)
    with capture_logs() as logs:
        assert PiperDir(tmp_path).voices() == ()
    assert "no voice id" in logs[0]["reason"]


def test_an_old_config_without_a_language_gets_it_from_espeak(tmp_path: Path) -> None:
    drop(tmp_path, "old", language=None, espeak={"voice": "fr"})
    assert PiperDir(tmp_path).voices()[0].languages == ("fr",)


def test_several_speakers_are_listed_by_name(tmp_path: Path) -> None:
    drop(tmp_path, "many", num_speakers=2, speaker_id_map={"p1": 0, "p2": 1})
    (voice,) = PiperDir(tmp_path).voices()
    assert voice.speakers == {"p1": 0, "p2": 1}
    assert voice.num_speakers == 2


def test_the_licence_comes_from_the_card_that_names_the_voice(tmp_path: Path) -> None:
    drop(tmp_path, "en_US-lessac-medium")
    drop(tmp_path, "en_US-other-low", dataset="other")
    (tmp_path / "MODEL_CARD").write_text("# Model card for lessac (medium)\n\n* License: Blizzard\n")
    assert [voice.license for voice in PiperDir(tmp_path).voices()] == ["Blizzard", "unknown"]


def test_a_card_of_a_voices_own_wins(tmp_path: Path) -> None:
    drop(tmp_path, "a")
    (tmp_path / "a.MODEL_CARD").write_text("* License: CC BY 4.0\n")
    assert PiperDir(tmp_path).voices()[0].license == "CC BY 4.0"
