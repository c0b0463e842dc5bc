"""Several web workers: what the supervisor is given, and what the user is told."""

import socket
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from june_tts.errors import SettingsError
from june_tts.settings import Loaded
from june_tts.workers.child import NotStarted
from june_tts.workers.supervisor import Plan, Supervisor

FORCED = 1
"""Exit status where a second signal did not wait for the end."""

log = structlog.get_logger(__name__)


def plan_of(found: Loaded) -> Plan:
    """Raises: SettingsError, for what needs a single process."""
    settings = found.settings
    if settings.workers > 1 and (settings.livekit_url or settings.orchestrator_url):
        name = "LIVEKIT_URL" if settings.livekit_url else "ORCHESTRATOR_URL"
        raise SettingsError(
            f"JUNE_WORKERS={settings.workers} and {name}: a room's speech is queued in one process; set "
            "JUNE_WORKERS=1 for rooms, or serve rooms and the other APIs from two servers"
        )
    return Plan(settings.workers, _plain(found.values), settings.drain_seconds)


async def serve_several(
    found: Loaded, reread: Callable[[], Loaded], listener: socket.socket, ready: Callable[[], None]
) -> int:
    """Serve until interrupted. Returns the exit status: that of a process which did not start, and told why.

    Raises:
        SettingsError: see `plan_of`.
    """

    def again() -> Plan | None:
        try:
            return plan_of(reread())
        except SettingsError as bad:
            # the words of `Reloading`, which the supervisor cannot import: it needs 60 MB
            log.error("settings not reloaded: everything stays as it was", reason=str(bad))
            return None

    supervisor = Supervisor(plan_of(found), listener, reread=again)
    try:
        return 0 if await supervisor.run(ready) else FORCED
    except NotStarted as failed:
        return failed.status


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Fit for JSON: a TOML file may hold dates where none belongs, and those were refused before."""
    return {
        name: value if isinstance(value, str | int | float | list | dict) else str(value)
        for name, value in values.items()
    }
