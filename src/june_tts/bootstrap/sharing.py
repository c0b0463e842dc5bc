"""Redis, where there is one."""

from contextlib import AsyncExitStack

from june_tts.cache import Shared, SharedOptions, open_shared
from june_tts.settings import Settings
from june_tts.telemetry.metrics import Metrics


async def shared_of(settings: Settings, metrics: Metrics, stack: AsyncExitStack) -> Shared | None:
    """None where REDIS_URL is not set. Redis need not be there yet. Raises: SettingsError."""
    if settings.redis_url is None:
        return None
    options = SharedOptions(settings.redis_timeout_ms / 1000)
    shared = await open_shared(settings.redis_url.get_secret_value(), options, metrics.links)
    stack.push_async_callback(shared.close)
    return shared
