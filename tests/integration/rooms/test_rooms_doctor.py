"""`june-tts doctor` says whether rooms can be spoken into, by joining one."""

from pathlib import Path

import pytest
from tests.livekit_service import LiveKit

from june_tts.cli.checks_rooms import livekit as check
from june_tts.settings import Settings, load

pytestmark = pytest.mark.integration


def given(folder: Path, **environ: str) -> Settings:
    usual = {"JUNE_DATA_DIR": str(folder), "JUNE_ENGINES": "fake", "JUNE_DEFAULT_VOICE": "fake"}
    return load(usual | environ).settings


def test_where_livekit_is_not_configured_it_says_what_that_means(tmp_path: Path) -> None:
    found = check(given(tmp_path))
    assert (found.state, found.remedy) == ("ok", "")
    assert "not configured" in found.found


def test_settings_that_are_there_in_part_are_named(tmp_path: Path) -> None:
    found = check(given(tmp_path, LIVEKIT_URL="ws://127.0.0.1:1"))
    assert found.state == "fail" and "LIVEKIT_API_KEY" in found.found


def test_a_server_that_is_not_there_and_a_wrong_secret_fail_with_a_remedy(
    tmp_path: Path, livekit: LiveKit
) -> None:
    right = {"LIVEKIT_URL": livekit.url, "LIVEKIT_API_KEY": livekit.key, "LIVEKIT_API_SECRET": livekit.secret}
    away = check(given(tmp_path, **right | {"LIVEKIT_URL": "ws://127.0.0.1:1"}))
    assert away.state == "fail" and "cannot be reached" in away.found and "LIVEKIT_URL" in away.remedy
    wrong = check(given(tmp_path, **right | {"LIVEKIT_API_SECRET": "x" * 40}))
    assert wrong.state == "fail" and "refused the token" in wrong.found and "xxxx" not in wrong.found
    well = check(given(tmp_path, **right))
    assert well.state == "ok" and "joined in" in well.found
