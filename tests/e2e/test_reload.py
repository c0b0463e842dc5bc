"""SIGHUP in one process: what can change while it works does, and a bad file changes nothing."""

import signal
from pathlib import Path

import httpx
import pytest
from tests.june_process import June, becomes, june

pytestmark = pytest.mark.e2e

LONG = "a" * 150


def test_sighup_takes_new_limits_names_what_takes_a_restart_and_refuses_bad_files(tmp_path: Path) -> None:
    file = tmp_path / "june.toml"
    file.write_text("max_text_chars = 1000\n")
    with june(tmp_path, JUNE_FAKE_STEP_SECONDS="0.04", JUNE_CONFIG_FILE=str(file)) as server:
        playing = {"input": LONG, "voice": "fake", "response_format": "pcm"}
        with httpx.stream("POST", f"{server.url}/v1/audio/speech", json=playing, timeout=60) as reply:
            parts = reply.iter_raw()
            got = len(next(parts))
            file.write_text('max_text_chars = 100\nfish_slots = 3\nlog_level = "debug"\n')
            reloaded(server, "settings reloaded")
            assert server.speak(LONG).status_code == 413
            assert "JUNE_FISH_SLOTS" in server.said() and "JUNE_LOG_LEVEL" not in server.said()

            file.write_text('max_text_chars = "many"\n')
            reloaded(server, "JUNE_MAX_TEXT_CHARS='many'")
            assert server.speak(LONG).status_code == 413
            assert "everything stays as it was" in server.said() and "Traceback" not in server.said()
            got += sum(len(part) for part in parts)
        assert got == pytest.approx(len(LONG) * 0.06 * 48_000, rel=0.02), "what plays was not touched"


def reloaded(server: June, said: str) -> None:
    server.send(signal.SIGHUP)
    becomes(lambda: said in server.said(), server=server)


def test_sighup_takes_limits_of_bodies_batches_and_jobs(tmp_path: Path) -> None:
    file = tmp_path / "june.toml"
    file.touch()
    batch = {"items": [{"id": name, "text": "Yes.", "voice_id": "fake"} for name in "ab"]}
    job = {"text": "Twelve chars", "voice_id": "fake"}
    with june(tmp_path, JUNE_CONFIG_FILE=str(file)) as server:
        assert [server.speak("a" * 2000).status_code, post(server, "/v1/batch", batch)] == [200, 200]
        assert post(server, "/v1/jobs", job) == 202
        file.write_text("max_body_bytes = 1024\nbatch_items = 1\njob_chars = 11\nmax_connections = 9\n")
        reloaded(server, "settings reloaded")
        assert server.speak("a" * 2000).status_code == 413
        assert [post(server, "/v1/batch", batch), post(server, "/v1/jobs", job)] == [400, 413]
        named = [line for line in server.said().splitlines() if "take a restart" in line]
        assert len(named) == 1 and "JUNE_MAX_CONNECTIONS" in named[0] and "BATCH" not in named[0]
        file.write_text("deadline_ms = 1\n")
        server.send(signal.SIGHUP)
        becomes(lambda: server.speak("a" * 2000).status_code == 503, server=server)
        assert post(server, "/v1/batch", batch) == 200


def post(server: June, path: str, body: object) -> int:
    return httpx.post(f"{server.url}{path}", json=body, timeout=30).status_code
