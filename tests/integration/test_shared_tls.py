"""Redis behind TLS: used where its authority is trusted, and not otherwise."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from tests.live_server import becomes
from tests.services import RedisServer
from tests.tls_door import Door, tls_door

from june_tts.cache import Shared, SharedOptions, open_shared
from june_tts.telemetry.metrics.links import LinkMetrics

pytestmark = pytest.mark.integration

PATIENT = SharedOptions(timeout_seconds=1.0)


@pytest.fixture
def door(redis: RedisServer, tmp_path: Path) -> Iterator[Door]:
    with tls_door(redis.url, tmp_path) as opened:
        yield opened


@pytest.fixture
async def plain(redis: RedisServer) -> AsyncIterator[Shared]:
    """The same Redis, not by the door."""
    opened = await open_shared(redis.url, PATIENT, LinkMetrics(CollectorRegistry()))
    yield opened
    await opened.close()


async def test_values_and_messages_go_through_tls(door: Door, plain: Shared) -> None:
    url = f"{door.address.replace('https', 'rediss')}?ssl_ca_certs={door.certificate}"
    shared = await open_shared(url, PATIENT, LinkMetrics(CollectorRegistry()))
    heard: list[bytes] = []
    shared.subscribe("changes", heard.append)
    try:
        assert shared.available
        assert await shared.set("a", b"\x00\xff", 60)
        assert await plain.get("a") == await shared.get("a") == b"\x00\xff"
        await becomes(lambda: shared.subscribed)
        await plain.publish("changes", b"one")
        await becomes(lambda: heard == [b"one"])
    finally:
        await shared.close()


async def test_a_certificate_of_an_authority_that_is_not_trusted_is_not_spoken_to(
    door: Door, plain: Shared
) -> None:
    shared = await open_shared(
        door.address.replace("https", "rediss"), PATIENT, LinkMetrics(CollectorRegistry())
    )
    try:
        assert not shared.available
        assert not await shared.set("a", b"1", 60)
        assert await plain.get("a") is None
    finally:
        await shared.close()
