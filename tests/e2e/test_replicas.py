"""Two replicas, each a process, on one PostgreSQL and one Redis: what one is told, the other speaks."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import httpx
import pytest
from tests.june_process import June, becomes, june
from tests.services import Postgres, RedisServer
from tests.unit.audio.sounds import babble, record

pytestmark = pytest.mark.e2e

STALE_SECONDS = 1.0
KEY = "the-key-of-the-tests"
QUOTA_SECONDS = 2.5
SETTINGS = {"JUNE_FAKE_CLONES": "true", "JUNE_API_KEY": KEY}
ROUNDS = int(os.environ.get("JUNE_ROUNDS", "4"))


@dataclass
class Replicas:
    one: June
    two: June
    client: httpx.Client
    added: int = 0

    def add(self, at: June, voice_id: str) -> None:
        """A recording of its own each time, so that each is heard as another tone."""
        self.added += 1
        sound = babble(4, 16_000, level=0.2 + self.added / 1000)
        reply = self.client.post(
            f"{at.url}/api/voices/clone",
            data={"voice_id": voice_id, "voice_name": "Ada", "transcript": "Hello."},
            files={"file": ("speech.wav", record(sound, 16_000, "wav", "pcm_s16le"))},
        )
        assert reply.status_code == 200, reply.text

    def remove(self, at: June, voice_id: str) -> None:
        assert self.client.delete(f"{at.url}/api/voices/{voice_id}").status_code == 200

    def rename(self, at: June, voice_id: str, name: str) -> None:
        # Fish Audio's API changes what is told of a voice
        reply = self.client.patch(f"{at.url}/model/{voice_id}", data={"title": name})
        assert reply.is_success, reply.text

    def name(self, at: June, voice_id: str) -> str | None:
        reply = self.client.get(f"{at.url}/api/voices/{voice_id}")
        return reply.json()["name"] if reply.is_success else None

    def spoken(self, at: June, voice_id: str, text: str = "Good morning.") -> bytes | None:
        """The tone of a voice; None where there is no such voice."""
        body = {"input": text, "voice": voice_id, "response_format": "pcm"}
        reply = self.client.post(f"{at.url}/v1/audio/speech", json=body)
        assert reply.status_code in (200, 404), reply.text
        return reply.content if reply.is_success else None

    def until(self, true: Callable[[], bool]) -> float:
        """Seconds until something is so, asked again and again."""
        began = time.monotonic()
        while not true():
            assert time.monotonic() - began < 5, "never"
        return time.monotonic() - began


@pytest.fixture(scope="module")
def database(postgres: Postgres) -> str:
    return postgres.new_database()


@pytest.fixture(scope="module")
def replicas(
    database: str, shared_redis: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Replicas]:
    shared_redis.empty()
    settings = {"DATABASE_URL": database, "REDIS_URL": shared_redis.url, **SETTINGS}
    with ExitStack() as stack:
        one, two = (
            stack.enter_context(june(tmp_path_factory.mktemp("replica"), workers=1, **settings))
            for _ in range(2)
        )
        client = stack.enter_context(httpx.Client(timeout=30, headers={"Authorization": f"Bearer {KEY}"}))
        yield Replicas(one, two, client)


@pytest.fixture(params=["with redis", "redis frozen", "redis killed"])
def redis_as(request: pytest.FixtureRequest, replicas: Replicas, shared_redis: RedisServer) -> Iterator[str]:
    """Redis there, silent, and gone; there again afterwards."""
    how = str(request.param)
    if how == "redis frozen":
        shared_redis.pause()
    elif how == "redis killed":
        shared_redis.kill()
    yield how
    if how == "redis frozen":
        shared_redis.resume()
    elif how == "redis killed":
        shared_redis.start()
    becomes(lambda: all(answered(one) for one in (replicas.one, replicas.two)))


def answered(replica: June) -> bool:
    return "tts_redis_up 1.0" in replica.metrics()


def test_what_one_is_told_the_other_speaks_within_a_second(replicas: Replicas, redis_as: str) -> None:
    worst: dict[str, float] = {"changed": 0.0, "replaced": 0.0, "removed": 0.0}
    for number in range(ROUNDS):
        pair = (replicas.one, replicas.two) if number % 2 else (replicas.two, replicas.one)
        voice = f"ada-{redis_as.replace(' ', '-')}-{number}"
        for what, seconds in told(replicas, *pair, voice).items():
            worst[what] = max(worst[what], round(seconds, 3))
    sys.stderr.write(f"{redis_as}, {ROUNDS} rounds, longest stale in seconds: {json.dumps(worst)}\n")
    assert max(worst.values()) <= STALE_SECONDS


def told(replicas: Replicas, here: June, there: June, voice: str) -> dict[str, float]:
    """How long the other replica gives what is no longer so, in seconds."""
    took: dict[str, float] = {}
    replicas.add(here, voice)
    first = replicas.spoken(there, voice)
    assert first is not None, "a voice that was added speaks at once"
    replicas.rename(here, voice, "Eve")
    took["changed"] = replicas.until(lambda: replicas.name(there, voice) == "Eve")
    replicas.remove(here, voice)
    replicas.add(here, voice)
    own = replicas.spoken(here, voice)
    assert own != first
    took["replaced"] = replicas.until(lambda: replicas.spoken(there, voice) == own)
    replicas.remove(here, voice)
    took["removed"] = replicas.until(lambda: replicas.spoken(there, voice) is None)
    return took


def test_a_key_has_its_quota_once_and_not_at_each_replica(replicas: Replicas) -> None:
    text, most = "Ten chars.", 12
    made = {"name": "few words", "limits": {"characters_per_day": most * len(text)}}
    reply = replicas.client.post(f"{replicas.one.url}/api/admin/keys", json=made)
    assert reply.status_code == 201, reply.text
    headers = {"Authorization": f"Bearer {reply.json()['key']}"}

    def spoken(at: June) -> bool:
        body = {"input": text, "voice": "fake", "response_format": "pcm"}
        said = replicas.client.post(f"{at.url}/v1/audio/speech", json=body, headers=headers)
        assert said.status_code in (200, 429), said.text
        return said.status_code == 200

    becomes(lambda: _knows(replicas, replicas.two, headers))
    count, refused_since = 0, time.monotonic()
    # a replica that has more than it needs gives it back within a second, and then the other has it
    while time.monotonic() - refused_since < QUOTA_SECONDS:
        found = [spoken(at) for at in (replicas.one, replicas.two)]
        count += sum(found)
        if any(found):
            refused_since = time.monotonic()
        else:
            time.sleep(0.1)
    # each may sit on a rest that is shorter than a text
    assert most - 2 < count <= most


def _knows(replicas: Replicas, at: June, headers: dict[str, str]) -> bool:
    return replicas.client.get(f"{at.url}/api/admin/keys", headers=headers).status_code == 403


def test_uses_of_both_add_up_and_the_most_used_are_warm_after_a_start(
    replicas: Replicas, database: str, shared_redis: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for voice, uses in (("often", 3), ("seldom", 1)):
        replicas.add(replicas.one, voice)
        for number in range(uses):
            # what a cache of phrases knows is not spoken again
            replicas.spoken(replicas.one, voice, f"The {number}th time.")
            replicas.spoken(replicas.two, voice, f"The {number}th time, there.")

    def uses_of(voice: str) -> int:
        listed = replicas.client.get(f"{replicas.one.url}/api/voices").json()["voices"]
        return next(int(entry["uses"]) for entry in listed if entry["voice_id"] == voice)

    # each replica writes its own every five seconds
    becomes(lambda: (uses_of("often"), uses_of("seldom")) == (6, 2), 15.0)
    settings = {"DATABASE_URL": database, "REDIS_URL": shared_redis.url, **SETTINGS}
    settings["JUNE_WARM_VOICES"] = "1"
    with june(tmp_path_factory.mktemp("replica"), workers=1, **settings) as third:
        read = _recordings_read(third)
        assert replicas.spoken(third, "often")
        assert _recordings_read(third) == read
        assert replicas.spoken(third, "seldom")
        assert _recordings_read(third) == read + 1


def _recordings_read(server: June) -> float:
    """From outside the process: where memory has none, Redis is asked first."""
    start = 'tts_voice_cache_reads_total{level="redis"'
    return sum(
        float(line.rsplit(" ", 1)[1]) for line in server.metrics().splitlines() if line.startswith(start)
    )
