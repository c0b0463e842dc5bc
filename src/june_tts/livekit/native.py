"""What LiveKit's native library does that june-tts must not."""

import logging
import re

_TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*")


class WithoutTokens(logging.Filter):
    """The library logs a refused token whole, which is as good as a key to whoever can still use it."""

    def filter(self, record: logging.LogRecord) -> bool:
        told = record.getMessage()
        if _TOKEN.search(told):
            record.msg, record.args = _TOKEN.sub("(token)", told), ()
        return True


def guard_log() -> None:
    """Once is enough; more often does no harm."""
    log = logging.getLogger("livekit")
    if not any(isinstance(one, WithoutTokens) for one in log.filters):
        log.addFilter(WithoutTokens())
