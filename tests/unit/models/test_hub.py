from pathlib import Path

import pytest

from june_tts.models.hub import may_see_token, saved_token, trusted
from june_tts.models.snapshot import NAME, HubFile, Snapshot, read_snapshot

pytestmark = pytest.mark.unit

FILE = HubFile("config.json", 4, "6320cd248dd8aeaab759d5871f8781b5c0505172", None)
KEPT = Snapshot("owner/name", "a" * 40, (FILE,), "CC0", "2026-01-01")


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://huggingface.co", True),
        ("http://127.0.0.1:8080", True),
        ("http://localhost", True),
        ("http://mirror.example", False),
        ("http://127.0.0.1.mirror.example", False),
    ],
)
def test_a_token_travels_over_https_or_stays_on_this_machine(url: str, sent: bool) -> None:
    assert may_see_token(url) is sent


def test_a_token_is_in_no_repr() -> None:
    assert "hunter2" not in repr(trusted("https://hub.invalid", "owner/name", "hunter2"))


@pytest.mark.parametrize("content", [b"", b"two words", b"\xff\xfe", b"\n", b"x" * 5000])
def test_a_saved_token_that_no_header_can_carry_counts_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "token").write_bytes(content)
    assert saved_token(tmp_path) is None
    assert saved_token(tmp_path / "nowhere") is None


def test_a_small_file_is_known_by_gits_own_id() -> None:
    # git hash-object on a file that holds "data"
    assert FILE.fits(b"data")
    assert not FILE.fits(b"dat4")


def test_a_note_comes_back_as_it_was_written(tmp_path: Path) -> None:
    KEPT.write(tmp_path)
    assert read_snapshot(tmp_path) == KEPT


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"revision": "../.."}', '{"files": 1, "revision": "' + "a" * 40 + '"}']
)
def test_a_damaged_note_counts_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / NAME).write_text(text)
    assert read_snapshot(tmp_path) is None
