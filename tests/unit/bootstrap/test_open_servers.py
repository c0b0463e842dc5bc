"""Where nobody is asked for a key, a server starts on loopback alone."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from june_tts.bootstrap.access import access_of, reload_access
from june_tts.errors import SettingsError, Unauthorized
from june_tts.settings import load
from june_tts.store import open_stores
from june_tts.telemetry.metrics import Metrics
from june_tts.types import KeyLimits

pytestmark = pytest.mark.unit


async def starts(host: str, data_dir: Path | None = None, **more: str) -> bool:
    settings = load({"WRAPPER_HOST": host, **more}).settings
    async with AsyncExitStack() as stack:
        stores = None
        if data_dir:
            stores = await open_stores(None, data_dir)
            stack.push_async_callback(stores.voices.close)
        try:
            await access_of(settings, stores, None, Metrics(), stack)
        except SettingsError as refused:
            assert f"WRAPPER_HOST={host!r}" in str(refused)
            assert "june-tts keys add" in str(refused)
            assert "JUNE_ALLOW_OPEN=1" in str(refused)
            return False
        return True


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "::1"])
async def test_loopback_needs_no_key(host: str) -> None:
    assert await starts(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "2001:db8::1", "no.such.name.invalid"])
async def test_elsewhere_one_is_needed(host: str) -> None:
    assert not await starts(host)
    assert await starts(host, JUNE_API_KEY="sesame")
    assert await starts(host, SERVICE_AUTH_TOKEN="sesame")
    assert await starts(host, JUNE_ALLOW_OPEN="1")


async def test_a_key_of_the_database_will_do_and_so_will_one_that_was_revoked(tmp_path: Path) -> None:
    assert not await starts("0.0.0.0", tmp_path)
    settings = load({}).settings
    async with AsyncExitStack() as stack:
        stores = await open_stores(None, tmp_path)
        stack.push_async_callback(stores.voices.close)
        access = await access_of(settings, stores, None, Metrics(), stack)
        made = await access.desk.make("Ann", ["speak"], KeyLimits())
        assert access.keys.find(made.text)
    assert await starts("0.0.0.0", tmp_path)
    async with AsyncExitStack() as stack:
        stores = await open_stores(None, tmp_path)
        stack.push_async_callback(stores.voices.close)
        access = await access_of(settings, stores, None, Metrics(), stack)
        await access.desk.revoke(made.key.key_id)
        with pytest.raises(Unauthorized, match="revoked"):
            access.keys.find(made.text)
    assert await starts("0.0.0.0", tmp_path)


async def test_new_settings_bring_new_keys_and_limits() -> None:
    async with AsyncExitStack() as stack:
        access = await access_of(load({"JUNE_API_KEY": "old"}).settings, None, None, Metrics(), stack)
        assert access.keys.find("old")
        new = {"JUNE_API_KEY": "new", "JUNE_REQUESTS_PER_MINUTE": "7", "JUNE_KEY_STREAMS": "2"}
        reload_access(access, load(new).settings)
        assert access.keys.find("new")
        with pytest.raises(Unauthorized):
            access.keys.find("old")
        assert [state.budget.limit for state in access.meter.state("settings")] == [7]
        assert access.meter.defaults.streams == 2
