import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from june_tts.errors import InvalidRequest, ModelUnavailable
from june_tts.models import embedded, kokoro
from june_tts.models.catalogue import KOKORO, KOKORO_INT8, release
from june_tts.models.files import KokoroFiles
from june_tts.models.verified import Published

pytestmark = pytest.mark.unit


def published(path: Path) -> Published:
    return Published(path.name, path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())


def put(folder: Path, known: Published, content: bytes) -> Published:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / known.name).write_bytes(content)
    return published(folder / known.name)


@pytest.fixture
def pulled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a small stand-in of a published file in place, under its own name."""

    def pull(constant: str) -> None:
        small = put(tmp_path / "kokoro", getattr(kokoro, constant), constant.encode())
        monkeypatch.setattr(kokoro, constant, small)

    return pull


def test_the_pulled_release_is_preferred(tmp_path: Path, pulled: Callable[[str], None]) -> None:
    pulled("KOKORO_VOICES")
    pulled("KOKORO_INT8")
    (files,) = kokoro.kokoro_files(tmp_path)
    assert (files.model.name, files.voices.name) == ("kokoro-v1.0.int8.onnx", "voices-v1.0.bin")
    assert len(files.vocab) == 114
    pulled("KOKORO_FP32")
    assert kokoro.kokoro_files(tmp_path)[0].model.name == "kokoro-v1.0.onnx"


def test_without_a_whole_release_the_packaged_voices_are_used(
    tmp_path: Path, pulled: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    pulled("KOKORO_VOICES")
    (tmp_path / "kokoro" / "kokoro-v1.0.onnx").write_bytes(b"half of it")
    with pytest.raises(ModelUnavailable, match="pip install"):
        kokoro.kokoro_files(tmp_path, lambda package: None)
    monkeypatch.setattr(embedded, "KOKORO_INT8", put(tmp_path / "kokoro", KOKORO_INT8, b"int8"))
    (files,) = kokoro.kokoro_files(tmp_path)
    assert files.voices.name == "voices_ja.npz"
    assert kokoro.kokoro_voice_ids(files) == (
        "jf_alpha",
        "jf_gongitsune",
        "jf_nezumi",
        "jf_tebukuro",
        "jm_kumo",
    )


def test_voice_ids_are_read_from_any_npz(tmp_path: Path) -> None:
    with (tmp_path / "voices.bin").open("wb") as file:
        np.savez(file, bm_lewis=np.zeros(1), af_heart=np.zeros(1))
    files = KokoroFiles(tmp_path / "m", tmp_path / "voices.bin", {})
    assert kokoro.kokoro_voice_ids(files) == ("af_heart", "bm_lewis")


def test_a_damaged_voices_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "voices.bin").write_bytes(b"no zip")
    with pytest.raises(ModelUnavailable, match=r"voices\.bin"):
        kokoro.kokoro_voice_ids(KokoroFiles(tmp_path / "m", tmp_path / "voices.bin", {}))


@pytest.mark.parametrize(
    ("voice_id", "languages", "name"),
    [
        ("af_heart", ("en-US",), "Heart (female)"),
        ("bm_lewis", ("en-GB",), "Lewis (male)"),
        ("ef_dora", ("es",), "Dora (female)"),
        ("pm_alex", ("pt-BR",), "Alex (male)"),
        ("jf_alpha", ("en-US", "en-GB"), "Alpha (female)"),
        ("zm_yunxi", ("en-US", "en-GB"), "Yunxi (male)"),
        ("", (), ""),
        ("q", (), "Q"),
    ],
)
def test_an_id_tells_language_and_name(voice_id: str, languages: tuple[str, ...], name: str) -> None:
    assert kokoro.kokoro_languages(voice_id) == languages
    assert kokoro.kokoro_name(voice_id) == name


def test_a_variant_brings_its_model_and_the_voices() -> None:
    assert [file.name for file in KOKORO.files()] == ["voices-v1.0.bin", "kokoro-v1.0.int8.onnx"]
    assert [file.name for file in KOKORO.files("fp32")] == ["voices-v1.0.bin", "kokoro-v1.0.onnx"]


def test_an_unknown_name_or_variant_says_what_there_is() -> None:
    with pytest.raises(InvalidRequest, match="'int4'.*int8, fp32"):
        KOKORO.files("int4")
    with pytest.raises(InvalidRequest, match="'whisper'.*kokoro"):
        release("whisper")
