"""New settings for a server that works: each part that can change while it works takes them here.

Whatever else has changed is named, and takes a restart. A part that is added has a line in `reloads_of`.
"""

from collections.abc import Callable, Collection
from dataclasses import replace

from june_tts.bootstrap.access import reload_access
from june_tts.bootstrap.admission import rules_of
from june_tts.bootstrap.batch import batch_rules
from june_tts.bootstrap.jobs import job_rules
from june_tts.bootstrap.phrases import listed_in
from june_tts.http.live_limits import LiveLimits
from june_tts.http.middleware import BodyLimits
from june_tts.http.services import Services
from june_tts.settings import Settings

Take = Callable[[Settings], None]


class Reloads:
    """`add` the parts, then `reload` as often as settings are read again."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._parts: list[tuple[frozenset[str], Take, bool]] = []

    def add(self, fields: Collection[str], take: Take, *, always: bool = False) -> None:
        """
        Args:
            fields: of `Settings`; `take` is called where one of them has changed.
            take: must change nothing where it raises.
            always: call it without a change, too: it reads a file again.
        """
        self._parts.append((frozenset(fields), take, always))

    def reload(self, settings: Settings) -> list[str]:
        """Take new settings, which were checked. Streams that play are not touched.

        Returns: names of settings that have changed and take a restart.

        Raises:
            SettingsError: a part cannot use them; it and the parts after it stay as they were.
        """
        changed = {
            name for name in Settings.model_fields if getattr(settings, name) != getattr(self._settings, name)
        }
        # what reads files can fail, so that comes before anything has changed
        for fields, take, always in sorted(self._parts, key=lambda part: not part[2]):
            if always or fields & changed:
                take(settings)
        taken = frozenset[str]().union(*(fields for fields, _, _ in self._parts))
        self._settings = settings
        return [
            field.alias or name
            for name, field in Settings.model_fields.items()
            if name in changed and name not in taken
        ]


QUEUEING = ("max_streams", "queue", "queue_seconds", "queue_normal_seconds", "queue_batch_seconds")
ACCESS = (
    *("api_key", "service_auth_token", "requests_per_minute", "characters_per_minute"),
    *("audio_seconds_per_minute", "key_streams", "characters_per_day", "characters_per_month"),
    *("audio_seconds_per_day", "audio_seconds_per_month"),
)
SERVED = (
    *("stall_seconds", "live_idle_seconds", "live_turn_seconds", "live_waiting_chars"),
    *("live_contexts", "max_text_chars", "deadline_ms"),
    *("max_body_bytes", "max_upload_bytes", "body_timeout_seconds"),
)
BATCHES = ("batch_items", "batch_chars", "batch_at_once", "batches", "batch_item_mb")
JOBS = ("job_chars", "jobs_waiting", "jobs_kept", "job_keep_hours")


def reloads_of(settings: Settings, services: Services) -> Reloads:
    """What of the services can change, but for what `Services` itself holds: see `limited`."""
    reloads = Reloads(settings)
    reloads.add(QUEUEING, lambda new: services.admission.change(rules_of(new)))
    reloads.add(("live_sockets",), lambda new: services.sockets.change(new.live_sockets))
    reloads.add(("max_text_chars",), lambda new: services.synthesizer.limit_text(new.max_text_chars))
    reloads.add(BATCHES, lambda new: services.batches.change(batch_rules(new)))
    if jobs := services.jobs:
        reloads.add(JOBS, lambda new: jobs.change(job_rules(new), characters=new.job_chars))
    reloads.add(ACCESS, lambda new: reload_access(services.access, new), always=True)
    if book := services.book:
        reloads.add(("phrases_file",), lambda new: book.reload(listed_in(new)), always=True)
    return reloads


def live_limits(settings: Settings) -> LiveLimits:
    """Of WebSockets."""
    return LiveLimits(
        settings.live_idle_seconds,
        settings.live_turn_seconds,
        settings.live_waiting_chars,
        settings.stall_seconds,
        turn_chars=settings.max_text_chars,
        contexts=settings.live_contexts,
    )


def body_limits(settings: Settings) -> BodyLimits:
    """Of requests over HTTP."""
    return BodyLimits(settings.max_body_bytes, settings.max_upload_bytes, settings.body_timeout_seconds)


def limited(services: Services, settings: Settings) -> Services:
    """The same with the limits of new settings, for requests from now on. Their fields are in SERVED."""
    return replace(
        services,
        stall_seconds=settings.stall_seconds,
        live=replace(live_limits(settings), ending=services.live.ending),
        body_limits=body_limits(settings),
        deadline_ms=settings.deadline_ms,
    )
