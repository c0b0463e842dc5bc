"""One queue for all web workers: it is in the process with the engines, and each worker asks there."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from june_tts.engine.host_link import HostCall, HostLink
from june_tts.engine.host_messages import Enter, Sign
from june_tts.engine.host_session import Admit
from june_tts.engine.host_session import Place as HeldPlace
from june_tts.errors import JuneError
from june_tts.service.admission import Admission, AdmissionRules, Place, stopping
from june_tts.service.terms import Terms, current_terms, terms
from june_tts.telemetry.metrics.admission import AdmissionMetrics


class HostedPlace(Place):
    """What the listener gets is told to the host, whose engines' limits are learned from it."""

    def __init__(self, call: HostCall) -> None:
        self._call = call

    def asks(self) -> None:
        self._call.send(Sign(self._call.id, "asks"))

    def hears(self, seconds: float) -> None:
        self._call.send(Sign(self._call.id, "hears", seconds))

    def feeds(self, *, words: bool) -> None:
        self._call.send(Sign(self._call.id, "words" if words else "no words"))


class HostedAdmission(Admission):
    """A worker's side. What it counts is its own; limits and queue are the server's."""

    def __init__(
        self, link: HostLink, rules: AdmissionRules, metrics: AdmissionMetrics, refused: Callable[[str], None]
    ) -> None:
        super().__init__(rules, metrics, refused)
        self._link = link
        self._own = 0
        self._asking: set[HostCall] = set()

    @property
    def active(self) -> int:
        """Streams of this worker that play."""
        return self._own

    @property
    def waiting(self) -> int:
        return len(self._asking)

    @property
    def draining(self) -> bool:
        return self.draining_since is not None

    @draining.setter
    def draining(self, value: bool) -> None:
        Admission.draining.fset(self, value)  # type: ignore[attr-defined]  # mypy takes it for a method
        if value:
            for call in self._asking:
                call.refuse(stopping())

    @asynccontextmanager
    async def place(self, engine: str, characters: int, *, ongoing: bool = False) -> AsyncIterator[Place]:
        call = await self._link.begin(lambda id: _enter(id, engine, characters, ongoing, current_terms()))
        try:
            await self._entered(call)
            self._own += 1
            try:
                yield HostedPlace(call)
            finally:
                self._own -= 1
        finally:
            self._link.finish(call)

    async def _entered(self, call: HostCall) -> None:
        """Raises: Overloaded, DeadlineMissed; EngineFailed, where the host is gone."""
        self._asking.add(call)
        try:
            if self.draining:
                raise stopping()
            await call.next()
        except JuneError as error:
            self._refused(error.code)
            raise
        finally:
            self._asking.discard(call)


def admit_at(admission: Admission) -> Admit:
    """The host's side: what a worker asks for is asked for on the terms of its request."""

    @asynccontextmanager
    async def admit(asked: Enter) -> AsyncIterator[HeldPlace]:
        given = Terms(asked.caller, asked.priority, asked.deadline, asked.patient)
        with terms(given):
            async with admission.place(asked.engine, asked.characters, ongoing=asked.ongoing) as place:
                yield place

    return admit


def _enter(id: int, engine: str, characters: int, ongoing: bool, given: Terms) -> Enter:
    return Enter(id, engine, characters, ongoing, given.caller, given.priority, given.deadline, given.patient)
