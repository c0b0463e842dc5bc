"""LiveKit's own library logs refused tokens; june-tts does not let them through."""

import logging

import pytest

from june_tts.livekit.native import guard_log

pytestmark = pytest.mark.unit


def test_a_token_never_reaches_the_log(caplog: pytest.LogCaptureFixture) -> None:
    guard_log()
    guard_log()
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJqdW5lIn0.c2lnbmF0dXJl-_x"
    logging.getLogger("livekit").error("refused: %s, invalid", f"401 {token}")
    logging.getLogger("livekit").error("other news: %d", 5)
    assert caplog.messages == ["refused: 401 (token), invalid", "other news: 5"]
