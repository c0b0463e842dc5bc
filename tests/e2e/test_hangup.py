"""Clients that leave, stall, stop half-way or talk ahead: the work stops, and nobody else notices."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest
from tests.e2e.page_server import serving
from tests.e2e.server_process import gauge, process_of

pytestmark = pytest.mark.e2e

CLIENTS = 20
IDLE_WITHIN = 2.0
"""Seconds; generous, as tests share the machine. `bench/server_health.py` measures the real figure."""
LONG = "The train leaves the station at nine, and the children look out of the window. " * 40
IDLE = {"tts_active_requests": 0.0, "tts_engine_streams": 0.0, "tts_engine_runs": 0.0}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("hangup")) as address:
        yield address


def request(text: str = LONG, priority: str = "interactive", **fields: object) -> bytes:
    body = json.dumps({"input": text, "voice": "joe", "response_format": "pcm", **fields}).encode()
    head = (
        "POST /v1/audio/speech HTTP/1.1\r\nHost: june\r\nContent-Type: application/json\r\n"
        f"X-Priority: {priority}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def connect(server: str, sent: bytes = b"", receive_buffer: int | None = None) -> socket.socket:
    client = socket.socket()
    if receive_buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.settimeout(30)
    client.connect(("127.0.0.1", httpx.URL(server).port))
    client.sendall(sent)
    return client


def read(client: socket.socket, least: int) -> bytes:
    received = b""
    while len(received) < least:
        data = client.recv(65_536)
        assert data, f"the server hung up after {len(received)} bytes"
        received += data
    return received


def read_all(client: socket.socket) -> bytes:
    return b"".join(iter(lambda: client.recv(65_536), b""))


def load(server: str) -> dict[str, float]:
    metrics = httpx.get(f"{server}/metrics").text
    return {name: gauge(metrics, name) for name in IDLE}


def until(true: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not (found := true()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return found


def becomes_idle(server: str) -> bool:
    return until(lambda: load(server) == IDLE, IDLE_WITHIN)


def test_twenty_clients_that_hang_up_in_mid_stream_leave_no_work(server: str) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(server, request())) for _ in range(CLIENTS)]
        for client in clients:
            assert read(client, 4_000).startswith(b"HTTP/1.1 200 ")
        assert load(server)["tts_engine_streams"] == CLIENTS
        cancelled = httpx.get(f"{server}/stats").json()["cancelled"]
    assert becomes_idle(server), load(server)
    assert httpx.get(f"{server}/stats").json()["cancelled"] == cancelled + CLIENTS


@pytest.mark.parametrize(
    "fields", [{"response_format": "mp3"}, {"stream_format": "sse"}, {"response_format": "flac"}]
)
def test_it_is_so_in_every_kind_of_reply(server: str, fields: dict[str, str]) -> None:
    with connect(server, request(**fields)) as client:
        read(client, 4_000)
        assert load(server)["tts_engine_streams"] == 1
    assert becomes_idle(server)


def test_clients_that_reset_the_connection_are_noticed_too(server: str) -> None:
    linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"  # close with RST instead of FIN
    for _ in range(5):
        client = connect(server, request())
        read(client, 4_000)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        client.close()
    assert becomes_idle(server)


def test_a_client_that_leaves_before_the_first_audio_is_noticed(server: str) -> None:
    """The last of these wait for a place, or for their first piece, behind the others."""
    before = httpx.get(f"{server}/stats").json()
    began = 0
    with ExitStack() as stack:
        for _ in range(CLIENTS):
            stack.enter_context(connect(server, request(priority="batch")))

        def all_there() -> bool:
            nonlocal began
            metrics = httpx.get(f"{server}/metrics").text
            began = int(gauge(metrics, "tts_engine_streams"))
            return began + gauge(metrics, "tts_queued") == CLIENTS

        assert until(all_there, 10)
    assert becomes_idle(server)
    assert gauge(httpx.get(f"{server}/metrics").text, "tts_queued") == 0
    after = httpx.get(f"{server}/stats").json()
    # of those who waited some may have begun meanwhile
    assert began <= after["cancelled"] - before["cancelled"] <= CLIENTS
    assert after["succeeded"] == before["succeeded"]


def test_a_client_that_does_not_read_is_waited_for_in_bounded_memory(server: str) -> None:
    process = process_of(server)
    httpx.post(f"{server}/v1/audio/speech", json={"input": LONG, "voice": "joe"}, timeout=60)
    with connect(server, request(LONG * 25, sample_rate=192_000), receive_buffer=4096) as stalled:
        read(stalled, 1)
        # it has made what it makes ahead, and now nothing runs until the client reads on
        assert until(lambda: load(server)["tts_engine_runs"] == 0, 30)
        filled = process.memory_info().rss
        for _ in range(5):
            reply = httpx.post(
                f"{server}/v1/audio/speech", json={"input": "Others are served.", "voice": "joe"}, timeout=30
            )
            assert reply.status_code == 200
        assert load(server)["tts_engine_streams"] == 1
        # the whole of it would be 1.5 GB
        assert process.memory_info().rss - filled < 30 * 2**20
        read(stalled, 5_000_000)
        assert process.memory_info().rss - filled < 30 * 2**20
    assert becomes_idle(server)


def test_a_client_that_closes_only_its_own_direction_gets_all_or_is_gone(server: str) -> None:
    """Whether a half-closed client is still there nobody can tell: it must not leave a stream behind."""
    with connect(server, request("Short.")) as client:
        client.shutdown(socket.SHUT_WR)
        reply = read_all(client)
    assert reply == b"" or reply.endswith(b"\r\n0\r\n\r\n")
    with connect(server, request()) as client:
        read(client, 4_000)
        client.shutdown(socket.SHUT_WR)
        read_all(client)
    assert becomes_idle(server)


def test_requests_sent_ahead_are_answered_in_their_order(server: str) -> None:
    first, second = request("One."), request("Two, and some more.", response_format="wav")
    last = b"GET /health/live HTTP/1.1\r\nHost: june\r\nConnection: close\r\n\r\n"
    with connect(server, first + second + last) as client:
        received = read_all(client)
    places = [received.index(mark) for mark in (b"audio/pcm", b"audio/wav", b'{"status":"ok"}')]
    assert places == sorted(places)
    assert received.count(b"HTTP/1.1 200 ") == 3
    assert becomes_idle(server)


def test_a_client_that_sent_ahead_and_left_leaves_no_work(server: str) -> None:
    with connect(server, request() * 5) as client:
        read(client, 4_000)
    assert becomes_idle(server)
    time.sleep(0.2)
    assert load(server) == IDLE, "a request of a client that is gone was begun"


@pytest.mark.parametrize(
    "sent",
    [
        b"\0" * 1000,
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/audio/speech HTTP/1.1\r\nHost: june\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"POST /v1/audio/speech HTTP/1.1\r\nHost: june\r\nContent-Length: -5\r\n\r\n",
        b"POST /v1/audio/speech HTTP/1.1\r\nHost: june\r\nContent-Length: \xb2\r\n\r\n",
        b"POST /v1/audio/speech HTTP/1.1\r\nHost: june\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: june\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 50_000 + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
    ids=["nul", "version", "two-lengths", "negative", "superscript", "chunk", "path", "headers", "tls"],
)
def test_what_is_no_http_is_answered_or_cut_and_the_next_request_works(server: str, sent: bytes) -> None:
    with connect(server) as client:
        try:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            reply = read_all(client)
        except ConnectionError:
            reply = b""
    assert not reply or reply.split(b" ")[1][:1] == b"4", reply[:100]
    assert httpx.get(f"{server}/health/live").status_code == 200
    assert load(server) == IDLE
