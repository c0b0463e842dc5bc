"""What `bench/fuzz.py` sends twenty thousand times, a few hundred times, over real sockets."""

import pytest
from tests.fake_rooms import FakeRooms
from tests.fuzz.malformed import SOCKETS, Malformed, Request, Talk
from tests.fuzz.sender import Sender
from tests.live_server import live_server

pytestmark = [
    pytest.mark.fuzz,
    pytest.mark.filterwarnings("ignore:.*SpooledTemporaryFile:pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:Unclosed file:ResourceWarning"),
]

COUNT = 400


async def test_whatever_is_sent_to_whatever_endpoint_is_answered_and_leaves_nothing_behind() -> None:
    async with live_server(rooms=FakeRooms()) as server:
        sender = Sender(server.url)
        await sender.send(Malformed(server.fake.app.openapi(), seed=1).requests(COUNT))
        assert not sender.wrong, "\n".join(sender.wrong)
        assert sender.statuses.total() > COUNT * 0.95
        assert server.fake.services.admission.active == 0 and not server.fake.engine.speaking
        assert server.fake.services.sockets.active == 0
        spoken = await server.fake.http.post("/v1/audio/speech", json={"input": "5", "voice": "fake"})
        assert spoken.status_code == 200


async def test_every_endpoint_is_drawn_and_a_seed_draws_the_same_again() -> None:
    async with live_server() as server:
        document = server.fake.app.openapi()
    drawn = list(Malformed(document, seed=1).requests(3000))
    routes = {request.route for request in drawn if isinstance(request, Request)}
    assert routes == set(document["paths"])
    assert {talk.route for talk in drawn if isinstance(talk, Talk)} == set(SOCKETS)
    assert drawn == list(Malformed(document, seed=1).requests(3000))
