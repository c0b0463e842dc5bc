"""The reference says of errors, metrics, formats and text what the code does: no more and no less."""

import re
from pathlib import Path
from typing import get_args

import pytest
from prometheus_client import CollectorRegistry
from tests.docs.markdown import REFERENCE, code, codes, read, sections, table

from june_tts.audio.formats import FORMATS, MAX_RATE, MIN_RATE, Spec
from june_tts.audio.seams import END_MS, PAUSE_MS
from june_tts.engine.kokoro import KokoroEngine
from june_tts.engine.piper import PiperEngine
from june_tts.errors import JuneError
from june_tts.http.errors import STATUS
from june_tts.models.embedded import packaged_kokoro_voices
from june_tts.models.kokoro import voice_ids_in
from june_tts.settings import Settings
from june_tts.telemetry.metrics import Metrics
from june_tts.telemetry.nvml import Gpu
from june_tts.text import normalize
from june_tts.types import EngineCounts

pytestmark = pytest.mark.unit


def kinds(error: type[JuneError]) -> list[type[JuneError]]:
    return [error, *(kind for child in error.__subclasses__() for kind in kinds(child))]


def test_every_error_is_documented_as_it_is() -> None:
    rows = table(read(REFERENCE / "errors.md"), "code")
    documented = {code(row[0]): (row[1], row[2], row[3]) for row in rows}
    actual = {
        kind.code: (str(STATUS[kind.code]), "yes" if kind.retryable else "no", (kind.__doc__ or "").strip())
        for kind in kinds(JuneError)
    }
    assert len(rows) == len(documented)
    assert documented == actual


def used_metrics() -> Metrics:
    """With a sample in every family that is collected only where there is something to tell."""
    metrics = Metrics()
    metrics.watch_engine("fake", lambda: 0, lambda: 0)
    metrics.watch_fish(EngineCounts)
    metrics.watch_gpus(lambda: [Gpu(0, 1, 2, 0.5, 40.0)])
    metrics.admission.watch_limits(lambda: {"fake": 1})
    return metrics


def labels_of(registry: CollectorRegistry) -> dict[str, set[str]]:
    """By the family's name. A metric that has never moved has no samples, but knows its labels."""
    known = {metric: getattr(metric, "_labelnames", ()) for metric in registry._collector_to_names}
    return {family.name: set(labels) for metric, labels in known.items() for family in metric.collect()}


def test_every_metric_is_documented_with_its_type_and_labels() -> None:
    actual = {}
    registry = used_metrics().registry
    known = labels_of(registry)
    for family in registry.collect():
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        exposed = f"{family.name}_total" if family.type == "counter" else family.name
        actual[exposed] = (family.type, labels | known[family.name])
    rows = table(read(REFERENCE / "metrics.md"), "metric")
    documented = {code(row[0]): (row[1], set(codes(row[2]))) for row in rows}
    assert len(rows) == len(documented)
    assert documented == actual


def test_the_queries_name_metrics_that_exist() -> None:
    page = read(REFERENCE / "metrics.md")
    known = {code(row[0]) for row in table(page, "metric")}
    named = {found for row in table(page, "question") for found in re.findall(r"\btts_\w+", row[1])}
    assert named
    assert {found.removesuffix("_bucket") for found in named} <= known


def rates(spec: Spec) -> str:
    listed = ", ".join(f"{rate:,}" for rate in spec.rates)
    return listed or f"{MIN_RATE:,} to {MAX_RATE:,}"


def test_every_format_is_documented_with_its_media_type_and_rates() -> None:
    rows = {code(row[0]): row for row in table(read(REFERENCE / "formats.md"), "format")}
    assert set(rows) == set(FORMATS)
    for name, spec in FORMATS.items():
        alike = re.fullmatch("as `(.*)`", rows[name][2])
        assert code(rows[name][1]) == spec.media_type
        assert (rows[alike[1]][2] if alike else rows[name][2]) == rates(spec)


def examples() -> list[tuple[str, str, str]]:
    """Language, what is written, what is spoken; the language stands in the section's heading."""
    return [
        (codes(title)[0], code(written).replace("\\n", "\n"), spoken)
        for title, body in sections(REFERENCE / "text.md")
        for written, spoken in table(body, "written")
    ]


@pytest.mark.parametrize(("language", "written", "spoken"), examples())
def test_text_is_read_as_the_examples_say(language: str, written: str, spoken: str) -> None:
    assert normalize(written, language) == spoken


def test_the_pauses_are_those_of_the_code() -> None:
    page = read(REFERENCE / "text.md")
    documented = dict(re.findall(r"(\d+) ms after a (\w+)", page))
    assert documented == {str(ms): pause for pause, ms in PAUSE_MS.items() if ms}
    assert f"{END_MS} ms of silence" in page


def test_the_first_pieces_are_as_short_as_the_page_says(tmp_path: Path) -> None:
    piper = PiperEngine(tmp_path, lanes=1, threads=1, ahead_seconds=1.0).capabilities()
    kokoro = KokoroEngine(tmp_path, lanes=1, threads=1, ahead_seconds=1.0).capabilities()
    stated = f"(Piper {piper.first_piece_chars} characters, Kokoro {kokoro.first_piece_chars})"
    assert stated in read(REFERENCE / "text.md")


def test_every_engine_and_packaged_voice_has_its_licence_on_the_page() -> None:
    page = read(REFERENCE / "licences.md")
    engines = get_args(get_args(Settings.model_fields["engines"].annotation)[0])
    assert {code(row[0]) for row in table(page, "engine")} == set(engines)
    packaged = {"joe", *voice_ids_in(packaged_kokoro_voices())}
    assert packaged <= {word for row in table(page, "voice or model") for word in codes(row[0])}


def test_there_are_examples() -> None:
    assert len(examples()) > 30
