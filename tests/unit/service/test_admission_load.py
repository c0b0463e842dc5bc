"""What the limits that are learned do for listeners: joe in made-up time, so that no machine is too slow."""

import pytest
from tests.simulated_joe import Joe, Told

from june_tts.service.admission_ask import AdmissionRules
from june_tts.service.admission_gate import Gate

pytestmark = pytest.mark.unit

CARRIED = 3.5
"""Requests of 100 characters a second: what the simulated machine carries, refusing hardly any."""
SECONDS = 60


def joe(seed: int = 0, streams: int = 64, pauses: float = 0.0) -> Joe:
    return Joe(lambda moved: Gate(AdmissionRules(streams), moved), (100,), seed, pauses=pauses)


def refused(told: Told) -> int:
    return sum(told.refused.values())


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_three_times_the_load_changes_little_for_those_who_are_admitted(seed: int) -> None:
    machine = joe(seed)
    half = machine.run(CARRIED / 2, SECONDS)
    full = machine.run(CARRIED * 1.5, SECONDS)
    three = machine.run(CARRIED * 3, SECONDS)
    assert refused(half) == 0 and half.silent == 0
    assert three.p95() <= 1.5 * half.p95()
    assert three.audio >= 0.95 * full.audio
    assert three.silent <= 0.01 * len(three.first_audio)
    assert refused(three) + len(three.first_audio) == three.offered


@pytest.mark.parametrize("times", [1.5, 3, 5])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_server_that_has_learned_nothing_yet_starves_hardly_anybody_when_too_much_comes(
    seed: int, times: float
) -> None:
    machine = joe(seed)
    machine.run(CARRIED / 2, 20)
    assert machine.run(CARRIED * times, 20).silent <= 2


def test_a_load_that_is_carried_is_admitted() -> None:
    told = joe().run(CARRIED, SECONDS)
    assert refused(told) <= 0.02 * told.offered and told.silent == 0


@pytest.mark.parametrize("seed", range(6))
def test_pauses_of_the_machine_itself_make_it_refuse_nobody_at_half_of_the_load(seed: int) -> None:
    told = joe(seed, pauses=6.0).run(CARRIED / 2, 2 * SECONDS)
    assert refused(told) == 0


def test_without_learning_it_would_be_a_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("june_tts.service.admission_limit.Limit.turn", lambda *_: None)
    monkeypatch.setattr("june_tts.service.admission_engine.EngineLoad.can_start", lambda *_: True)
    machine = joe(streams=10_000)
    half, three = machine.run(CARRIED / 2, SECONDS), machine.run(CARRIED * 3, SECONDS)
    assert three.p95() > 3 * half.p95()


def test_what_was_learned_under_overload_does_not_refuse_half_of_the_load_later() -> None:
    machine = joe()
    machine.run(CARRIED * 3, SECONDS)
    told = machine.run(CARRIED / 2, SECONDS)
    assert refused(told) <= 0.01 * told.offered
