"""The load driver against a server on a real socket. Times are held against lower bounds alone."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from tests.integration.speaking import PAUSE, Speaking, speaking_server
from typer.testing import CliRunner, Result

from june_tts.cli.bench import bench
from june_tts.load import Api, Client, Outcome, Plan, Point, Target, Texts, run_point, summarise

pytestmark = pytest.mark.integration

APP = typer.Typer()
APP.command()(bench)


@pytest.fixture
def server() -> Iterator[Speaking]:
    with speaking_server() as found:
        yield found


async def spoken(server: Speaking, voice: str, limit: float = 20.0) -> Outcome:
    async with Client(Target(server.url, voice=voice), timeout=limit) as client:
        return await client.speak("Hello.")


async def driven(
    server: Speaking, voice: str, point: Point, plan: Plan, limit: float = 20.0
) -> list[Outcome]:
    found: list[Outcome] = []
    async with Client(Target(server.url, voice=voice), timeout=limit) as client:
        await run_point(client, point, plan, Texts(1).next, found.append)
    return found


async def test_a_stream_is_heard_whole(server: Speaking) -> None:
    heard = await spoken(server, "joe")
    assert heard.error is None
    assert heard.audio_seconds == pytest.approx(0.2)
    assert heard.ttfa is not None
    assert 0 < heard.ttfa <= heard.total


async def test_a_stall_in_mid_stream_is_a_gap_and_an_underrun(server: Speaking) -> None:
    heard = await spoken(server, "stall")
    assert len(heard.gaps) == heard.underruns == 1
    assert heard.dry > 0.1
    assert heard.total >= PAUSE


@pytest.mark.parametrize("api", ["openai", "fish", "piper"])
async def test_every_api_measures_a_wav_without_its_header(server: Speaking, api: Api) -> None:
    voice = "wav" if api == "openai" else None
    async with Client(Target(server.url, api, voice, format="wav"), timeout=20) as client:
        heard = await client.speak("Hello.")
    assert heard.error is None
    assert heard.audio_seconds == pytest.approx(0.4)


async def test_the_key_reaches_the_server(server: Speaking) -> None:
    async with Client(Target(server.url, api_key="k"), timeout=20) as client:
        await client.speak("Hello.")
    assert server.headers[0]["authorization"] == "Bearer k"


@pytest.mark.parametrize(
    ("voice", "error", "detail"),
    [
        ("full", "http 503", '{"error":{"message":"try\\nlater"}}'),
        ("json", "not audio", "content-type application/json"),
        ("silent", "no audio", "the answer held no audio"),
    ],
)
async def test_an_answer_without_speech_is_a_failure_of_its_kind(
    server: Speaking, voice: str, error: str, detail: str
) -> None:
    heard = await spoken(server, voice)
    assert (heard.error, heard.detail) == (error, detail)


async def test_a_stream_that_breaks_off_is_no_success(server: Speaking) -> None:
    assert (await spoken(server, "cut")).error == "broken"


async def test_a_wav_is_not_taken_for_pcm_with_a_header_in_it(server: Speaking) -> None:
    async with Client(Target(server.url, voice="joe", format="wav"), timeout=20) as client:
        assert (await client.speak("Hello.")).error == "not audio"


async def test_a_server_that_hangs_is_given_up(server: Speaking) -> None:
    begun = time.monotonic()
    assert (await spoken(server, "hang", limit=0.2)).error == "timeout"
    assert time.monotonic() - begun < 10


async def test_nobody_listening_is_a_failure() -> None:
    async with Client(Target("http://127.0.0.1:9"), timeout=20) as client:
        assert (await client.speak("Hello.")).error == "connect"


async def test_latency_counts_from_when_the_request_was_due(server: Speaking) -> None:
    async with Client(Target(server.url), timeout=20) as client:
        heard = await client.speak("Hello.", client.clock() - 5)
    assert heard.ttfa is not None
    assert heard.ttfa > 5
    assert heard.send_lag >= 5


async def test_a_closed_loop_keeps_so_many_in_flight_and_never_more(server: Speaking) -> None:
    found = await driven(server, "one-by-one", Point(20, concurrency=3), Plan(requests=4))
    assert (len(found), server.most_at_once) == (4, 3)
    assert len(set(server.texts)) == 4


async def test_a_closed_loop_ends_after_its_duration(server: Speaking) -> None:
    found = await driven(server, "joe", Point(20, concurrency=1), Plan(requests=None, duration=0.3))
    assert found
    # a generous bound: the last look at the clock and the request it lets begin are two moments
    assert found[-1].begun - found[0].begun < 1.3


async def test_an_open_loop_waits_for_nobody_and_charges_the_server_for_the_queue(server: Speaking) -> None:
    plan = Plan(requests=4, arrivals="constant")
    found = await driven(server, "one-by-one", Point(20, rate=50), plan)
    ttfa = summarise(found).ttfa
    assert ttfa is not None
    # due at 0.06 s, served after four turns; a client that waits for answers would report one turn
    assert ttfa.max > 4 * PAUSE - 0.2


async def test_an_open_loop_sends_no_more_than_its_limit_into_a_stuck_server(server: Speaking) -> None:
    plan = Plan(requests=5, arrivals="constant", max_in_flight=2)
    found = await driven(server, "hang", Point(20, rate=1000), plan, limit=1.0)
    assert summarise(found).errors == {"not sent": 3, "timeout": 2}


def run(server: Speaking, *arguments: str) -> Result:
    return CliRunner().invoke(APP, [server.url, *arguments])


def test_the_command_shows_a_table_and_writes_json_and_a_picture(server: Speaking, tmp_path: Path) -> None:
    done = run(
        server,
        *("--voice", "joe", "--chars", "20,50", "--concurrency", "1,2", "--requests", "3", "--seed", "4"),
        *("--json", str(tmp_path / "a.json"), "--plot", str(tmp_path / "a.png")),
    )
    assert done.exit_code == 0, done.output
    points = json.loads((tmp_path / "a.json").read_text())["points"]
    assert [(p["chars"], p["concurrency"], p["succeeded"]) for p in points] == [
        *((20, 1, 3), (20, 2, 3), (50, 1, 3), (50, 2, 3)),
    ]
    assert done.stdout.count(" 3/3 ") == 4
    assert (tmp_path / "a.png").stat().st_size > 1000
    assert len(set(server.texts)) == 13, "12 measured and one to warm up, all different"


def test_json_on_stdout_has_nothing_else_beside_it(server: Speaking) -> None:
    done = run(server, "--chars", "20", "--rate", "200", "--requests", "5", "--same-text", "--json", "-")
    document = json.loads(done.stdout)
    assert document["points"][0]["rate"] == 200
    assert document["settings"]["same_text"] is True
    assert len(set(server.texts)) == 1
    assert " 5/5 " in done.stderr


def test_the_exit_status_is_1_when_every_request_failed(server: Speaking) -> None:
    done = run(server, "--voice", "full", "--chars", "20", "--requests", "2")
    assert done.exit_code == 1
    assert "2 x http 503" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--chars", "20,x"), "--chars: 'x'"),
        (("--chars", "5"), "--chars: '5'"),
        (("--concurrency", "0"), "--concurrency: '0'"),
        (("--rate", "nan"), "--rate: 'nan'"),
        (("--rate", "1", "--concurrency", "1"), "not both"),
        (("--arrivals", "constant"), "--arrivals"),
        (("--rate", "1000", "--duration", "1000"), "up to 100,000 requests"),
        (("--api", "piper", "--format", "pcm"), "--format"),
        (("--json", "/nowhere/a.json"), "--json: /nowhere/a.json"),
        (("--plot", "/nowhere/a.png"), "--plot: /nowhere/a.png"),
        (("--timeout", "0"), "--timeout"),
    ],
)
def test_a_bad_option_is_named_before_anything_is_sent(
    server: Speaking, arguments: tuple[str, ...], said: str
) -> None:
    done = CliRunner(env={"COLUMNS": "200", "TERM": "dumb"}).invoke(APP, [server.url, *arguments])
    assert done.exit_code == 2
    assert said in done.stderr
    assert server.texts == []


def test_interrupting_shows_what_was_measured(server: Speaking) -> None:
    program = "import typer; from june_tts.cli.bench import bench; typer.run(bench)"
    arguments = [server.url, "--voice", "joe", "--chars", "20", "--duration", "600"]
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while len(server.texts) < 10 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "c=1" in out
    assert "Traceback" not in err
