"""Redis for tests that own the clock: several replicas' links to one hub, which can go and come back."""

from collections.abc import Callable, Sequence
from typing import Any

from june_tts.cache import Shared, SharedUnavailable, voice_shelf
from june_tts.cache.shared import PREFIX
from june_tts.cache.subscriptions import LEASE_SECONDS


class Hub:
    """What the links share. `down` and `up` at will; it forgets everything in between, as a restart does."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.hashes: dict[str, dict[str, bytes]] = {}
        self.numbers: dict[str, int] = {}
        self.links: list[FakeShared] = []
        self.down_at: float | None = None
        self.up_at = clock()

    def down(self) -> None:
        self.down_at = self.clock()
        self.hashes.clear()
        self.numbers.clear()

    def up(self) -> None:
        self.down_at = None
        self.up_at = self.clock()


class FakeShared(Shared):
    """A link to the hub. It has the scripts of `cache/voice_shelf.py` and no others."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._callbacks: dict[str, list[Callable[[bytes], None]]] = {}
        hub.links.append(self)

    @property
    def available(self) -> bool:
        return self._hub.down_at is None

    @property
    def subscribed(self) -> bool:
        """As with the real one, that nothing comes any more is noticed when the lease runs out."""
        gone = self._hub.down_at
        return gone is None or self._hub.clock() - gone < LEASE_SECONDS

    @property
    def subscribed_since(self) -> float | None:
        return self._hub.up_at if self.subscribed else None

    def subscribe(self, channel: str, callback: Callable[[bytes], None]) -> None:
        self._callbacks.setdefault(PREFIX + channel, []).append(callback)

    async def run(
        self,
        script: str,
        keys: Sequence[str],
        args: Sequence[bytes | str | float],
        *,
        expected_bytes: int = 0,
    ) -> Any:
        if not self.available:
            raise SharedUnavailable
        return getattr(self, _SCRIPTS[script])(keys, *args)

    def _read(self, keys: Sequence[str], field: str) -> bytes | None:
        return self._hub.hashes.get(keys[0], {}).get(field)

    def _generation(self, keys: Sequence[str]) -> bytes | None:
        number = self._hub.numbers.get(keys[0])
        return None if number is None else str(number).encode()

    def _keep(self, keys: Sequence[str], generation: str, field: str, value: bytes, _ms: int) -> int:
        if str(self._hub.numbers.get(keys[1], 0)) != generation:
            return 0
        self._hub.hashes.setdefault(keys[0], {})[field] = value
        return 1

    def _drop(self, keys: Sequence[str], field: str) -> None:
        self._hub.hashes.get(keys[0], {}).pop(field, None)

    def _forget(self, keys: Sequence[str], channel: str, news: bytes) -> None:
        self._hub.numbers[keys[1]] = self._hub.numbers.get(keys[1], 0) + 1
        self._hub.hashes.pop(keys[0], None)
        for link in self._hub.links:
            for callback in link._callbacks.get(channel, ()):
                callback(news)


_SCRIPTS = {
    voice_shelf.READ: "_read",
    voice_shelf.GENERATION: "_generation",
    voice_shelf.KEEP: "_keep",
    voice_shelf.DROP: "_drop",
    voice_shelf.FORGET: "_forget",
}
