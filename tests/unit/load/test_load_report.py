"""The table, the JSON and the picture."""

import json
from pathlib import Path

import pytest
from rich.console import Console
from tests.unit.load.made import outcome, result

from june_tts.errors import NotConfigured
from june_tts.load import Target, plot
from june_tts.load.report import document, problems, table

pytestmark = pytest.mark.unit

TARGET = Target("http://127.0.0.1:8000", voice="joe", api_key="secret")


def shown(width: int) -> str:
    console = Console(width=width)
    found = result(outcome(ttfa=12.3456, ended=13, gaps=(0.25,), underruns=3, dry=1.5), concurrency=8)
    with console.capture() as capture:
        console.print(table([found], TARGET))
    return capture.get()


def test_the_table_shows_milliseconds_gaps_and_underruns() -> None:
    for figure in ("12346/12346/12346/12346", "250/250/250", "3, 1.5 s", "c=8", "6.500"):
        assert figure in shown(110)


def test_the_table_fits_a_narrow_terminal_without_losing_a_figure() -> None:
    assert "…" not in shown(80)


def test_a_point_without_success_has_dashes_and_a_line_that_says_why() -> None:
    failed = result(outcome(error="http 404", detail="no voice joe", ttfa=None, audio=0))
    console = Console(width=110)
    with console.capture() as capture:
        console.print(table([failed], TARGET))
    assert " 0/1 " in capture.get()
    assert problems([failed]) == ["20 chars, 1 at once: 1 x http 404: no voice joe"]


def test_the_document_is_json_with_every_request_and_no_key() -> None:
    text = json.dumps(document([result(outcome(), outcome(begun=1, ended=3))], TARGET, {"seed": 3}))
    assert "secret" not in text
    point = json.loads(text)["points"][0]
    assert point["client_cpu_per_audio_second"] == pytest.approx(0.01 / 4)
    assert [r["total"] for r in point["outcomes"]] == [1, 2]
    assert json.loads(text)["settings"] == {"seed": 3}


def test_the_picture_is_a_png_also_where_a_point_failed(tmp_path: Path) -> None:
    failed = result(outcome(error="timeout", ttfa=None, audio=0), chars=200)
    plot.draw([result(outcome(ttfa=0.1), outcome(ttfa=0.4)), failed], tmp_path / "a.png", "title")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(NotConfigured, match=r"pip install 'june-tts\[bench\]'"):
        plot.require_matplotlib()
