"""What is kept near the engines, in memory and in Redis, so that it need not be fetched or made again."""

from june_tts.cache.shared import Shared, SharedOptions, SharedUnavailable, open_shared

__all__ = ["Shared", "SharedOptions", "SharedUnavailable", "open_shared"]
