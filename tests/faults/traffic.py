"""Callers who speak, upload, change and remove all the time, and remember what they were promised."""

import asyncio
import io
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import cache, partial

import httpx
import soundfile
from tests.faults.ledger import Line
from tests.unit.audio.sounds import babble

RATE = 16_000
SPEECH = "/v1/audio/speech"
PAUSE_SECONDS = 0.02
"""Between two requests of one caller."""
REQUEST_SECONDS = 30.0


@cache
def recording() -> bytes:
    file = io.BytesIO()
    soundfile.write(file, babble(4.0, RATE), RATE, format="WAV", subtype="PCM_16")
    return file.getvalue()


def tagged(number: int) -> bytes:
    """A recording of its own: a chunk that readers skip carries the number."""
    body = recording() + b"june" + (4).to_bytes(4, "little") + number.to_bytes(4, "little")
    return body[:4] + (len(body) - 8).to_bytes(4, "little") + body[8:]


class Traffic:
    """See `traffic_to`. What was promised is checked with `check` once everything is there again."""

    def __init__(self, http: httpx.AsyncClient, line: Line, voices: Sequence[str], prefix: str) -> None:
        self.http = http
        self.line = line
        self._voices = voices
        self._prefix = prefix
        self._numbers = 0
        self.there: dict[str, int] = {}
        """Acknowledged uploads: id to the number of the recording."""
        self.gone: set[str] = set()
        """Acknowledged removals."""
        self.unknown: set[str] = set()
        """What was asked and refused: it may have been done all the same."""
        self.spoken = dict.fromkeys(voices, 0)
        self.silent = dict.fromkeys(voices, 0)
        """Refused or broken, by voice."""
        self.changed = 0
        """Changes of the library that were acknowledged."""
        self._over = False
        self.refusal = ""
        """What the last one said."""

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        """Callers of each kind at work until the context is left, and their last request is answered."""
        work: list[Callable[[], Awaitable[None]]] = [
            partial(self.speak, voice) for voice in self._voices for _ in range(2)
        ]
        work += [self._upload_and_remove, self._upload_and_remove]
        self._over = False
        async with asyncio.TaskGroup() as tasks:
            for each in work:
                tasks.create_task(self._forever(each))
            try:
                yield
            finally:
                self._over = True

    async def _forever(self, work: Callable[[], Awaitable[None]]) -> None:
        while not self._over:
            await work()
            await asyncio.sleep(PAUSE_SECONDS)

    async def send(self, method: str, path: str, **sent: object) -> httpx.Response | None:
        """The reply where the server did what was asked, None where it refused in time and form."""
        self.line.offered += 1
        began = time.monotonic()
        reply = await self.http.request(method, path, **sent)  # type: ignore[arg-type]  # httpx's own names
        if reply.status_code == 503:
            assert reply.headers["retry-after"], "a refusal says when to try again"
            self.line.refusal(time.monotonic() - began)
            self.refusal = reply.text
            return None
        assert reply.status_code == 200, (reply.status_code, reply.text)
        self.line.answered += 1
        return reply

    async def speak(self, voice: str) -> None:
        body = {"input": "Are you there?", "voice": voice, "response_format": "pcm"}
        reply = await self.send("POST", SPEECH, json=body)
        if reply is None or not reply.content:
            self.silent[voice] += 1
        else:
            self.spoken[voice] += 1

    async def upload(self, voice_id: str, number: int) -> bool:
        fields = {"voice_id": voice_id, "voice_name": voice_id, "transcript": "words"}
        self.unknown.add(voice_id)
        reply = await self.send(
            "POST", "/api/voices/clone", data=fields, files={"file": ("a.wav", tagged(number))}
        )
        if reply is None:
            return False
        self.unknown.discard(voice_id)
        self.there[voice_id] = number
        self.changed += 1
        return True

    async def remove(self, voice_id: str) -> bool:
        del self.there[voice_id]
        self.unknown.add(voice_id)
        if await self.send("DELETE", f"/api/voices/{voice_id}") is None:
            return False
        self.unknown.discard(voice_id)
        self.gone.add(voice_id)
        self.changed += 1
        return True

    async def _upload_and_remove(self) -> None:
        self._numbers += 1
        voice_id = f"{self._prefix}{self._numbers}"
        if await self.upload(voice_id, self._numbers) and self._numbers % 3 == 0:
            await self.remove(voice_id)

    async def check(self) -> None:
        """Everything that was acknowledged is so; counts what is not as lost."""
        listed = (await self.http.get("/api/voices")).json()["voices"]
        kept = {voice["voice_id"] for voice in listed}
        self.line.lost += len(self.there.keys() - kept) + len(self.gone & kept)
        for voice_id, number in self.there.items():
            audio = await self.http.get(f"/api/voices/{voice_id}/audio")
            self.line.lost += audio.content != tagged(number)
        for voice_id in self.unknown & kept:
            # there, though its caller was told that nobody knows: whole all the same
            number = int(voice_id.removeprefix(self._prefix))
            self.line.lost += (await self.http.get(f"/api/voices/{voice_id}/audio")).content != tagged(number)

    async def tidy(self) -> None:
        for voice_id in (*self.there, *self.unknown):
            with suppress(httpx.HTTPError):
                await self.http.delete(f"/api/voices/{voice_id}")


def client(address: str) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    return httpx.AsyncClient(base_url=address, timeout=REQUEST_SECONDS, limits=limits)


@asynccontextmanager
async def traffic_to(
    address: str, line: Line, *, voices: Sequence[str] = ("fake",), prefix: str = "v"
) -> AsyncIterator[Traffic]:
    """Nothing flows yet. What was uploaded is removed at the end."""
    async with client(address) as http:
        traffic = Traffic(http, line, voices, prefix)
        try:
            yield traffic
        finally:
            await traffic.tidy()


async def works(ask: Callable[[], Awaitable[bool]], seconds: float = 20.0) -> float:
    """Ask until it is so; the seconds that it took."""
    begin = time.monotonic()
    while not await ask():
        assert time.monotonic() - begin < seconds, f"not so within {seconds:g} s"
        await asyncio.sleep(0.02)
    return time.monotonic() - begin
