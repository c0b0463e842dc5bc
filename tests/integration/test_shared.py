"""Redis as the server uses it, with a real one that is stopped, killed, frozen and started again."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs
from tests.live_server import becomes
from tests.services import RedisServer, free_port, redis_server

from june_tts.cache import Shared, SharedOptions, SharedUnavailable, open_shared
from june_tts.errors import SettingsError
from june_tts.telemetry.metrics.links import LinkMetrics

pytestmark = pytest.mark.integration

QUICK = SharedOptions(timeout_seconds=0.1)
ADD = "return redis.call('INCRBY', KEYS[1], ARGV[1])"


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
async def shared(redis: RedisServer, registry: CollectorRegistry) -> AsyncIterator[Shared]:
    opened = await open_shared(redis.url, QUICK, LinkMetrics(registry))
    yield opened
    await opened.close()


@pytest.fixture
async def other(redis: RedisServer) -> AsyncIterator[Shared]:
    """Another replica's."""
    opened = await open_shared(redis.url, QUICK, LinkMetrics(CollectorRegistry()))
    yield opened
    await opened.close()


async def test_what_one_sets_another_gets_until_it_is_deleted(shared: Shared, other: Shared) -> None:
    assert await shared.get("a") is None
    assert await shared.set("a", b"\x00\xff", 60)
    assert await other.get("a") == b"\x00\xff"
    assert await other.delete("a", "b")
    assert await shared.get("a") is None


async def test_what_was_set_goes_after_its_time(shared: Shared) -> None:
    await shared.set("a", b"x", 0.02)
    await asyncio.sleep(0.05)
    assert await shared.get("a") is None


async def test_every_key_has_the_prefix(shared: Shared, redis: RedisServer) -> None:
    await shared.set("a", b"1", 60)
    assert await shared.run("return redis.call('KEYS', '*')", [], []) == [b"june:a"]
    assert await shared.run(ADD, ["a"], [2]) == 3


async def test_a_script_runs_again_after_redis_has_forgotten_it(shared: Shared, redis: RedisServer) -> None:
    assert await shared.run(ADD, ["n"], [1]) == 1
    redis.command("SCRIPT", "FLUSH")
    assert await shared.run(ADD, ["n"], [1]) == 2


async def test_messages_reach_every_replica_and_their_sender(shared: Shared, other: Shared) -> None:
    heard: list[tuple[str, bytes]] = []
    shared.subscribe("news", lambda message: heard.append(("shared", message)))
    other.subscribe("news", lambda message: heard.append(("other", message)))
    await becomes(lambda: shared.subscribed and other.subscribed)
    assert await other.publish("news", b"1")
    await becomes(lambda: len(heard) == 2)
    assert sorted(heard) == [("other", b"1"), ("shared", b"1")]


async def test_a_subscriber_that_fails_costs_the_others_nothing(shared: Shared) -> None:
    heard: list[bytes] = []

    def broken(_: bytes) -> None:
        raise ZeroDivisionError

    shared.subscribe("news", broken)
    shared.subscribe("news", heard.append)
    await becomes(lambda: shared.subscribed)
    with capture_logs():
        await shared.publish("news", b"1")
        await becomes(lambda: heard == [b"1"])
    assert shared.subscribed


async def test_a_new_channel_is_not_relied_on_before_redis_has_confirmed_it(shared: Shared) -> None:
    await becomes(lambda: shared.subscribed)
    since = shared.subscribed_since
    shared.subscribe("news", lambda _: None)
    assert not shared.subscribed
    assert shared.subscribed_since is None
    await becomes(lambda: shared.subscribed)
    assert since and shared.subscribed_since
    assert shared.subscribed_since > since


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_a_restart_costs_nobody_an_error_and_one_line_at_each_end(
    shared: Shared, redis: RedisServer, registry: CollectorRegistry, how: str
) -> None:
    heard: list[bytes] = []
    shared.subscribe("news", heard.append)
    await becomes(lambda: shared.subscribed)
    before = shared.subscribed_since
    with capture_logs() as lines:
        getattr(redis, how)()
        await becomes(lambda: not shared.available and shared.away_since is not None)
        assert (await shared.get("a"), await shared.set("a", b"", 1), await shared.publish("news", b"")) == (
            None,
            False,
            False,
        )
        with pytest.raises(SharedUnavailable):
            await shared.run(ADD, ["n"], [1])
        assert not shared.subscribed
        assert registry.get_sample_value("tts_redis_up") == 0
        redis.start()
        await becomes(lambda: shared.available and shared.subscribed)
    assert [line["event"] for line in lines] == ["a part is away", "a part is back"]
    assert shared.subscribed_since and before and shared.subscribed_since > before
    assert registry.get_sample_value("tts_redis_up") == 1
    assert registry.get_sample_value("tts_breaker_openings_total", {"part": "redis"}) == 1
    assert registry.get_sample_value("tts_redis_errors_total", {"kind": "skipped"})
    assert registry.get_sample_value("tts_redis_errors_total", {"kind": "away"})
    await shared.publish("news", b"again")
    await becomes(lambda: heard == [b"again"])


async def test_a_frozen_redis_is_not_waited_for_and_its_lease_runs_out(
    shared: Shared, redis: RedisServer
) -> None:
    await becomes(lambda: shared.subscribed)
    redis.pause()
    began = time.monotonic()
    # forty at once, of which sixteen have a connection: the others wait as long, and no longer
    found = await asyncio.gather(*(shared.get("a") for _ in range(40)))
    took = time.monotonic() - began
    assert set(found) == {None}
    assert took < 2.0
    await becomes(lambda: not shared.subscribed)
    assert time.monotonic() - began < 2.0
    await becomes(lambda: shared.away_since is not None)
    redis.resume()
    await becomes(lambda: shared.available and shared.subscribed)
    assert await shared.set("a", b"x", 60)
    assert shared.calls == 0


async def test_a_redis_that_is_not_there_yet_is_found_when_it_comes(redis: RedisServer) -> None:
    redis.stop()
    opened = await open_shared(redis.url, QUICK, LinkMetrics(CollectorRegistry()))
    try:
        assert not opened.available
        assert await opened.get("a") is None
        redis.start()
        await becomes(lambda: opened.available and opened.subscribed)
    finally:
        await opened.close()


async def test_a_redis_that_refuses_is_no_outage(
    shared: Shared, redis: RedisServer, registry: CollectorRegistry
) -> None:
    redis.command("CONFIG", "SET", "maxmemory", "1")
    try:
        with capture_logs() as lines:
            assert [await shared.set("a", b"x", 60) for _ in range(5)] == [False] * 5
        assert len(lines) == 1
        assert shared.available
        assert await shared.get("a") is None
        assert registry.get_sample_value("tts_redis_errors_total", {"kind": "refused"}) == 5
    finally:
        redis.command("CONFIG", "SET", "maxmemory", "0")


async def test_the_password_is_sent_and_never_told() -> None:
    with redis_server(password="hunter2") as server, capture_logs() as lines:
        opened = await open_shared(server.url, QUICK, LinkMetrics(CollectorRegistry()))
        wrong = await open_shared(
            server.url.replace("hunter2", "hunter3"), QUICK, LinkMetrics(CollectorRegistry())
        )
        try:
            assert await opened.set("a", b"x", 60)
            await becomes(lambda: wrong.away_since is not None)
            assert not wrong.available
        finally:
            await opened.close()
            await wrong.close()
    assert "hunter" not in repr((lines, opened, wrong))
    assert lines[0]["reason"] == "AuthenticationError"


@pytest.mark.parametrize(
    "url", ["http://hunter2@x", "redis://x?hunter2=1", "redis://:hunter2@x:port/0", "redis://x?db=hunter2"]
)
def test_a_url_that_cannot_be_read_is_refused_without_being_told(url: str) -> None:
    with pytest.raises(SettingsError, match="REDIS_URL.*expected redis://") as refused:
        Shared(url, QUICK, LinkMetrics(CollectorRegistry()))
    assert "hunter" not in repr(refused.value)
    assert refused.value.__cause__ is None


async def test_a_call_is_over_before_its_connection_is_used_again(shared: Shared) -> None:
    """A call that was cancelled must not leave its answer to the next one."""
    await shared.set("a", b"a" * 1_000_000, 60)
    await shared.set("b", b"b", 60)
    for pause in range(20):
        call = asyncio.create_task(shared.get("a", expected_bytes=1_000_000))
        await asyncio.sleep(pause / 10_000)
        call.cancel()
        await asyncio.wait([call])
        assert await shared.get("b") == b"b"
    assert shared.calls == 0


async def test_nobody_listens_on_a_port_is_away_at_once() -> None:
    opened = await open_shared(f"redis://127.0.0.1:{free_port()}", QUICK, LinkMetrics(CollectorRegistry()))
    try:
        assert not opened.available
    finally:
        await opened.close()
