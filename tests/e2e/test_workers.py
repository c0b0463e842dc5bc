"""Several workers over one process with the engines: killed one by one, and asked what they did."""

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from tests.e2e.server_process import gauge
from tests.june_process import June, alive, becomes, june

pytestmark = pytest.mark.e2e

HOST, WEB = "june_tts.workers.host", "june_tts.workers.web"
WORKERS = 2
LONG = "a" * 2000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[June]:
    folder = tmp_path_factory.mktemp("workers")
    (folder / "june.toml").touch()
    settings = {"JUNE_FAKE_STEP_SECONDS": "0.005", "JUNE_CONFIG_FILE": str(folder / "june.toml")}
    with june(folder, workers=WORKERS, **settings) as started:
        yield started


def ready(server: June) -> bool:
    told = httpx.get(f"{server.url}/health", timeout=10).json()
    return all(process["ready"] for process in told["services"]["workers"])


def requests(server: June) -> float:
    return gauge(server.metrics(), "tts_requests_total")


def test_the_engines_are_loaded_once_and_every_worker_speaks(server: June) -> None:
    assert (len(server.running(HOST)), len(server.running(WEB))) == (1, WORKERS)
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda i: server.speak(f"Number {i}."), range(24)))
    assert {reply.status_code for reply in replies} == {200}
    served = {one.pid: one.num_ctx_switches().voluntary for one in server.running(WEB)}
    assert len(served) == WORKERS and all(count > 20 for count in served.values())


def test_any_worker_tells_what_all_have_done(server: June) -> None:
    before = requests(server)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: server.speak(f"Told {i}."), range(10)))
    for _ in range(4):
        text = server.metrics()
        assert gauge(text, "tts_requests_total") == before + 10
        for name in ("0", "1", "engines"):
            assert f'process_open_fds{{process="{name}"}}' in text
        assert text.count("# TYPE tts_engine_streams gauge") == 1
    stats = httpx.get(f"{server.url}/stats").json()
    assert stats["succeeded"] == before + 10


def test_a_worker_that_is_killed_is_replaced_its_streams_end_and_no_counter_goes_back(server: June) -> None:
    becomes(lambda: ready(server), server=server)
    before = requests(server)
    playing = [playing_now(server) for _ in range(4)]
    becomes(lambda: gauge(server.metrics(), "tts_engine_streams") >= 4, server=server)
    victim = server.running(WEB)[0]
    victim.kill()
    becomes(lambda: [one.pid for one in server.running(WEB)].count(victim.pid) == 0)
    becomes(lambda: ready(server) and len(server.running(WEB)) == WORKERS, 30, server)
    assert requests(server) >= before
    for thread, _ in playing:
        thread.join(20)
    becomes(lambda: gauge(server.metrics(), "tts_engine_streams") == 0, server=server)
    assert server.speak("Back again.").status_code == 200
    told = httpx.get(f"{server.url}/health").json()["services"]["workers"]
    assert sum(process["restarts"] for process in told) == 1


def playing_now(server: June) -> tuple[threading.Thread, list[bool]]:
    """A stream of 7.5 s that is read, and whether it came to its end."""
    whole: list[bool] = []

    def read() -> None:
        body = {"input": LONG, "voice": "fake", "response_format": "pcm"}
        try:
            with httpx.stream("POST", f"{server.url}/v1/audio/speech", json=body, timeout=30) as reply:
                whole.append(sum(len(part) for part in reply.iter_raw()) == len(LONG) * 2880)
        except httpx.TransportError:
            whole.append(False)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread, whole


def test_engines_that_are_killed_fail_their_streams_at_once_and_the_next_request_waits_for_new_ones(
    server: June,
) -> None:
    becomes(lambda: ready(server), server=server)
    before = requests(server)
    playing = [playing_now(server) for _ in range(3)]
    becomes(lambda: gauge(server.metrics(), "tts_engine_streams") >= 3, server=server)
    server.running(HOST)[0].kill()
    for thread, whole in playing:
        thread.join(5)
        assert whole == [False]
    assert server.speak("Waits for them.").status_code == 200
    becomes(lambda: ready(server), server=server)
    assert requests(server) == before + 4
    assert gauge(server.metrics(), "tts_active_requests") == 0


def test_sighup_reaches_every_worker_and_those_that_are_started_later(server: June) -> None:
    becomes(lambda: ready(server), server=server)
    (server.log.parent / "june.toml").write_text("max_text_chars = 100\nfish_slots = 3\n")
    server.send(signal.SIGHUP)
    becomes(lambda: "JUNE_FISH_SLOTS" in server.said(), server=server)
    assert {server.speak("a" * 101).status_code for _ in range(8)} == {413}
    (server.log.parent / "june.toml").write_text('max_text_chars = "many"\n')
    server.send(signal.SIGHUP)
    becomes(lambda: "everything stays as it was" in server.said(), server=server)
    server.running(WEB)[0].kill()
    becomes(lambda: not ready(server), server=server)
    becomes(lambda: ready(server), 30, server)
    assert {server.speak("a" * 101).status_code for _ in range(8)} == {413}


def test_a_supervisor_that_is_killed_leaves_nothing_behind(server: June) -> None:
    processes = server.processes()
    playing_now(server)
    os.kill(server.popen.pid, signal.SIGKILL)
    server.ended()
    becomes(lambda: not alive(processes), 15, server)


def test_rooms_are_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="JUNE_WORKERS=1") as refused:
        with june(tmp_path, workers=WORKERS, LIVEKIT_URL="ws://127.0.0.1:1"):
            pass
    assert "exit 2" in str(refused.value) and "Traceback" not in str(refused.value)


def test_a_voice_that_is_a_model_speaks_through_every_worker(tmp_path: Path) -> None:
    with june(tmp_path, workers=WORKERS, JUNE_ENGINES="piper", JUNE_DEFAULT_VOICE="joe") as server:
        with ThreadPoolExecutor(4) as pool:
            said = [pool.submit(server.speak, "Good morning, how are you?", voice="joe") for _ in range(12)]
        heard = [speech.result() for speech in said]
        assert {reply.status_code for reply in heard} == {200}
        # two bytes a sample, 22,050 of them a second
        assert all(1.0 < len(reply.content) / 44_100 < 4.0 for reply in heard)
        loaded = [one.memory_info().rss for one in (*server.running(HOST), *server.running(WEB))]
        assert loaded[0] > max(loaded[1:]), "the engines' process has the model, and no worker has"
