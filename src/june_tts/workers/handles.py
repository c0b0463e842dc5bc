"""Room for as many connections as the settings allow."""

import resource

import structlog

OTHERS = 256
"""Handles of the server's own: models, databases, processes, the event loop."""

log = structlog.get_logger(__name__)


def allow_handles(connections: int) -> None:
    """Raise this process's limit, which its children inherit. Many systems start at 1,024, though they allow
    more: an accept that fails for want of one leaves every caller waiting."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + OTHERS
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    if most < wanted:
        log.warning("fewer file handles than connections", handles=most, connections=connections)
