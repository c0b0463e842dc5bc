from pathlib import Path

import numpy as np
import pytest

from june_tts.models import inventory as listing
from june_tts.models import kokoro
from june_tts.models.catalogue import KOKORO, Release
from june_tts.models.inventory import inventory
from june_tts.models.verified import Published, digest

pytestmark = pytest.mark.unit


def test_a_fresh_machine_lists_the_packages_and_what_can_be_pulled(tmp_path: Path) -> None:
    found = {model.name: model for model in inventory(tmp_path / "models", tmp_path / "voices")}
    assert [(name, model.state) for name, model in found.items()] == [
        ("joe", "packaged"),
        ("kokoro-packaged", "packaged"),
        ("kokoro int8", "can be pulled"),
        ("kokoro fp32", "can be pulled"),
        ("fish/s1-mini", "can be pulled"),
    ]
    assert found["joe"].bytes == 63_201_294
    assert len(found["kokoro-packaged"].voices) == 5
    assert found["kokoro int8"].bytes == 92_361_271 + 28_214_398
    assert {model.license for model in found.values()} == {"CC0", "Apache-2.0", "CC-BY-NC-SA-4.0"}
    assert list(tmp_path.iterdir()) == []


def test_without_the_packages_they_are_listed_as_not_installed(tmp_path: Path) -> None:
    found = inventory(tmp_path, tmp_path, lambda package: None)
    assert [model.state for model in found[:2]] == ["not installed", "not installed"]


def test_a_pulled_release_is_listed_first_with_its_voices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "kokoro"
    folder.mkdir()
    with (folder / "voices-v1.0.bin").open("wb") as file:
        np.savez(file, af_heart=np.zeros(1), bm_lewis=np.zeros(1), pf_dora=np.zeros(1))
    (folder / "kokoro-v1.0.onnx").write_bytes(b"model")

    def stated(name: str) -> Published:
        return Published(name, (folder / name).stat().st_size, digest(folder / name))

    voices, large = stated("voices-v1.0.bin"), stated("kokoro-v1.0.onnx")
    monkeypatch.setattr(kokoro, "KOKORO_VOICES", voices)
    monkeypatch.setattr(kokoro, "KOKORO_FP32", large)
    variants = {"int8": KOKORO.variants["int8"], "fp32": large}
    release = Release("kokoro", "K", KOKORO.url, "Apache-2.0", KOKORO.languages, variants, (voices,))
    monkeypatch.setattr(listing, "KOKORO", release)

    first, second = inventory(tmp_path, tmp_path / "none")[2:4]
    assert (first.name, first.state, first.path) == ("kokoro fp32", "pulled", folder)
    assert first.voices == ("af_heart", "bm_lewis", "pf_dora")
    assert first.languages == ("en-US", "en-GB", "pt-BR")
    assert (second.name, second.state) == ("kokoro int8", "can be pulled")
