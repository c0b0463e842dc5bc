"""`june-tts fish codes` and `vocode` by hand: files in, files out, and errors that name what is wrong."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from bench.fish_checkpoint import write_checkpoint
from bench.fish_codec_file import write_codec

from june_tts.cli.fish_tools import codes, vocode
from june_tts.errors import InvalidRequest

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("tiny"), n_layer=1)


def test_a_line_of_a_file_gives_the_codes_it_gives_alone(checkpoint: Path, tmp_path: Path) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_text("One line.\n\nAnother, longer line.\n")
    codes(checkpoint, tmp_path / "all", text_file=lines, seed=3, max_frames=12, dtype="float32")
    codes(checkpoint, tmp_path / "one", text="Another, longer line.", seed=3, max_frames=12, dtype="float32")
    alone = np.load(tmp_path / "one")
    assert alone.shape == (10, 12)
    np.testing.assert_array_equal(np.load(tmp_path / "all/1.npy"), alone)


def test_codes_become_a_wav_whole_or_in_chunks(tmp_path: Path) -> None:
    file, made = tmp_path / "codec.pth", tmp_path / "codes.npy"
    write_codec(file, size="tiny")
    np.save(made, np.random.default_rng(1).integers(0, 1024, (10, 7)))
    vocode(file, made, tmp_path / "whole.wav")
    vocode(file, made, tmp_path / "chunks.npy", stream=3)
    whole, rate = soundfile.read(tmp_path / "whole.wav", dtype="float32")
    assert (rate, whole.size) == (44_100, 7 * 2048)
    np.testing.assert_allclose(np.load(tmp_path / "chunks.npy"), whole, atol=1e-4)


def test_what_is_wrong_is_named_before_anything_is_loaded(tmp_path: Path) -> None:
    latin = tmp_path / "latin.txt"
    latin.write_bytes(b"caf\xe9")
    with pytest.raises(InvalidRequest, match="no folder"):
        codes(tmp_path, tmp_path / "nowhere/x.npy", text="hi")
    with pytest.raises(InvalidRequest, match="byte 3 is 0xe9"):
        codes(tmp_path, tmp_path / "x", text_file=latin)
    with pytest.raises(InvalidRequest, match="one of --text and --text-file"):
        codes(tmp_path, tmp_path / "x")
