"""The engine, one turn at a time: admit, load, plan, step, voice. For one thread; nothing here waits."""

import logging
import time
from collections.abc import Callable, Sequence

from june_tts.errors import EngineFailed, InvalidRequest, JuneError
from june_tts.fish.admission import check
from june_tts.fish.counters import Counters
from june_tts.fish.events import Done, Event, Failed, LoopConfig, Request, Stats
from june_tts.fish.pacing import Pace, PaceRules
from june_tts.fish.prefixes import Prefixes, prefix_key
from june_tts.fish.scheduler import Plan, Scheduler
from june_tts.fish.sequence import Codec, Column, Runner, Stop
from june_tts.fish.stream import Stream
from june_tts.fish.verdict import Verdict
from june_tts.fish.voicing import Voicing

FRAME_SECONDS = 2048 / 44100
"""Of the codec of S1-mini, for a loop without one."""

SHARED = ("step", "codec")
"""Calls with several requests in them. What they raise need not be the fault of any: each may try again."""

log = logging.getLogger(__name__)


class Loop:
    """A model, a codec and the requests between them.

    Every request that `submit` accepts ends with exactly one `Done` or `Failed`. What belongs to one request
    and raises ends that request; a step or a codec call that raises ends the requests that were in it, and
    the next turn serves the others.
    """

    def __init__(
        self,
        runner: Runner,
        codec: Codec | None = None,
        config: LoopConfig | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._runner = runner
        self._config = config = config or LoopConfig()
        self._clock = clock
        self._pace_rules = PaceRules(config.first_frames, config.most_frames, _frame_seconds(codec))
        self._prefixes = Prefixes(config.prefix_bytes)
        self._scheduler = Scheduler(
            slots=runner.slots,
            max_batch=config.max_batch or runner.slots,
            max_waiting=config.max_waiting,
            prefill_chunk=config.prefill_chunk,
            prefixes=self._prefixes,
        )
        self._verdict = Verdict(runner, illegal_guard=config.illegal_guard)
        self._voicing = Voicing(codec, most_frames=config.most_frames, turn_frames=config.codec_frames)
        self._streams: dict[str, Stream] = {}
        self._events: list[Event] = []
        self._counted = Counters()

    def submit(self, request: Request) -> None:
        """Accept a request. Raises: InvalidRequest, Overloaded."""
        if request.id in self._streams:
            raise InvalidRequest("a request with this id is under way", param="id")
        check(request, self._runner)
        pace = Pace(self._pace_rules, realtime=request.realtime)
        stream = Stream(request, pace, self._clock(), key=self._key(request))
        self._scheduler.submit(stream)
        self._streams[request.id] = stream

    def cancel(self, request_id: str) -> bool:
        """End a request now: its slot is free, and what it made and did not send is dropped. The next turn
        reports it as `Done`. Returns whether it was under way; it may have ended a moment ago."""
        stream = self._streams.get(request_id)
        if stream is None:
            return False
        stream.stop = Stop.CANCELLED
        self._done(stream)
        return True

    def park(self, request_id: str, parked: bool) -> bool:
        """Make and send no more frames for a reader who does not take them, or do so again. The request keeps
        its slot. Returns whether it was under way."""
        stream = self._streams.get(request_id)
        if stream is not None:
            stream.parked = parked
        return stream is not None

    @property
    def busy(self) -> bool:
        """Whether a turn would do anything."""
        if self._events or self._scheduler.can_admit() or self._scheduler.can_plan():
            return True
        return any(stream.stop is not None and not stream.parked for stream in self._streams.values())

    def turn(self) -> list[Event]:
        """Make one frame of everything that is in this step, and send what is due."""
        self._admit()
        self._load_prefixes()
        plan = self._scheduler.plan(self._clock())
        if plan.streams:
            self._step(plan)
        self._voice()
        events, self._events = self._events, []
        return events

    def stats(self) -> Stats:
        scheduler, prefixes, counted = self._scheduler, self._prefixes, self._counted
        return Stats(
            slots=scheduler.pool.count,
            running=len(scheduler.running),
            waiting=len(scheduler.waiting),
            voicing=len(self._streams) - len(scheduler.running) - len(scheduler.waiting),
            steps=counted.steps,
            rows=counted.rows,
            last_batch=counted.last_batch,
            kv_positions=scheduler.pool.count * self._runner.positions,
            kv_used=sum(stream.filled + stream.made for stream in scheduler.running),
            frames=counted.frames,
            illegal_frames=counted.illegal_frames,
            prefill_columns=counted.prefill_columns,
            codec_calls=self._voicing.calls,
            codec_frames=self._voicing.frames,
            prefixes=len(prefixes),
            prefix_bytes=prefixes.bytes,
            prefix_hits=prefixes.hits,
            prefix_misses=prefixes.misses,
            failed_steps=counted.failed_steps,
            failures_in_row=counted.failures_in_row,
        )

    def _admit(self) -> None:
        while self._scheduler.can_admit():
            stream = self._scheduler.admit(self._clock())
            try:
                self._open(stream)
            except Exception as error:  # noqa: BLE001  whatever opening raises ends this request alone
                self._fail([stream], error, "open")

    def _open(self, stream: Stream) -> None:
        if stream.slot is not None:
            self._runner.open(stream.slot, stream.request.params)
        self._voicing.open(stream)

    def _load_prefixes(self) -> None:
        for stream in [s for s in self._scheduler.running if self._can_load(s)]:
            try:
                self._load_prefix(stream)
            except Exception as error:  # noqa: BLE001  ends this request; the copy may be what is broken
                self._prefixes.drop(stream.key or b"")
                self._fail([stream], error, "load_prefix")

    def _can_load(self, stream: Stream) -> bool:
        return not stream.filled and stream.key is not None and stream.key in self._prefixes

    def _load_prefix(self, stream: Stream) -> None:
        if stream.key is None or stream.slot is None:
            return
        with self._prefixes.lease(stream.key) as prefix:
            self._runner.load_prefix(stream.slot, prefix)
        stream.filled = stream.request.prefix
        self._prefixes.hits += 1

    def _step(self, plan: Plan) -> None:
        try:
            columns = self._runner.step(plan.chunks, plan.decode_slots)
            self._verdict.book(plan.makers, columns, self._clock())
        except Exception as error:  # noqa: BLE001  ends what was in the step; the next one serves the others
            self._counted.step_failed()
            self._fail(plan.streams, error, "step")
        else:
            self._stepped(plan, columns)

    def _stepped(self, plan: Plan, columns: Sequence[Column]) -> None:
        self._counted.stepped(plan)
        for stream in self._scheduler.ran(plan, self._clock()):
            self._save_prefix(stream)
        for stream in plan.makers:
            if stream.stop is not None:
                self._scheduler.end(stream)

    def _save_prefix(self, stream: Stream) -> None:
        """A prefix that cannot be kept is no loss to the request."""
        if stream.key is None or stream.slot is None:
            return
        try:
            self._prefixes.put(stream.key, self._runner.save_prefix(stream.slot, stream.request.prefix))
        except Exception as error:  # noqa: BLE001  most likely no memory: it is computed again for the next request
            log.warning("prefix not kept", extra={"error": type(error).__name__})

    def _voice(self) -> None:
        ready = self._voicing.ready(self._streams.values(), self._clock())
        if ready:
            self._send(ready)
        for stream in [s for s in self._streams.values() if s.stop is not None and not s.pending]:
            self._done(stream)

    def _send(self, streams: list[Stream]) -> None:
        try:
            chunks = self._voicing.decode(streams)
        except Exception as error:  # noqa: BLE001  the states of all in the call may be half advanced
            self._fail(streams, error, "codec")
            return
        now = self._clock()
        for stream, chunk in zip(streams, chunks, strict=True):
            stream.sent += chunk.codes.shape[1]
            stream.pace.sent(chunk.codes.shape[1], now)
            stream.first_audio_at = now if stream.first_audio_at is None else stream.first_audio_at
        self._events.extend(chunks)

    def _done(self, stream: Stream) -> None:
        self._forget(stream)
        self._events.append(
            Done(
                id=stream.id,
                stop=stream.stop or Stop.FAILED,
                frames=stream.sent,
                illegal=stream.illegal,
                timings=stream.timings(self._clock()),
                columns=stream.all_columns(),
                steps=stream.made,
            )
        )

    def _fail(self, streams: Sequence[Stream], error: Exception, where: str) -> None:
        traces = " ".join(stream.request.trace for stream in streams if stream.request.trace)
        log.error("requests failed in %s: %d %s", where, len(streams), traces, exc_info=error)
        failure = error if isinstance(error, JuneError) else EngineFailed(_describe(error))
        for stream in streams:
            self._forget(stream)
            self._events.append(Failed(stream.id, str(failure), failure.retryable or where in SHARED))

    def _forget(self, stream: Stream) -> None:
        self._scheduler.end(stream)
        del self._streams[stream.id]
        self._counted.illegal_frames += stream.illegal

    def _key(self, request: Request) -> bytes | None:
        """None where a prefix cannot be kept: copying it only to throw it away is work for nothing."""
        runner = self._runner
        prefix_bytes = runner.kv_bytes // (runner.slots * runner.positions) * request.prefix
        if not request.prefix or prefix_bytes > self._config.prefix_bytes:
            return None
        return prefix_key(request.columns[:, : request.prefix])


def _describe(error: Exception) -> str:
    """By its type alone: the words of a foreign error are for the log."""
    return f"the engine could not finish this request ({type(error).__name__})"


def _frame_seconds(codec: Codec | None) -> float:
    return FRAME_SECONDS if codec is None else codec.samples_per_frame / codec.sample_rate
