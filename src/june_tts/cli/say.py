"""`june-tts say`: speak a text."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, get_args

import typer
from rich.progress import BarColumn, Progress, TextColumn

from june_tts.cli.output import note, notes
from june_tts.cli.play import Speaker, why_silent
from june_tts.cli.sink import FileSink, Sink, StdoutSink
from june_tts.cli.speech import ServerSpeech, Speech, local_speech
from june_tts.errors import InvalidRequest
from june_tts.settings import Settings, load
from june_tts.telemetry import log
from june_tts.types import Format

_FORMATS = get_args(Format)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The options that say what is spoken, and by whom."""

    settings: Settings
    text: str
    voice: str
    language: str | None
    speed: float
    server: str | None


def say(
    text: Annotated[
        str | None, typer.Argument(help="What to speak; - or nothing reads standard input.")
    ] = None,
    voice: Annotated[
        str, typer.Option("--voice", "-v", help="Voice id, see `june-tts voices list`.")
    ] = "default",
    out: Annotated[
        str | None, typer.Option("--out", "-o", metavar="FILE|-", help="Write here instead of playing.")
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(help=f"{', '.join(_FORMATS)}. Default: the ending of --out, else wav."),
    ] = None,
    speed: Annotated[float, typer.Option(help="Tempo, 0.25 to 4; 2 is twice as fast.")] = 1.0,
    language: Annotated[str | None, typer.Option(help="BCP 47 tag; the voice's own unless given.")] = None,
    server: Annotated[
        str | None, typer.Option(metavar="URL", help="Ask this server instead of loading the engines here.")
    ] = None,
) -> None:
    """Speak a text: aloud, into a file or to standard output.

    Without --out it plays where a sound device is there, and else writes speech.wav.
    """
    settings = load().settings
    log.configure("warning", "console")
    wire = _format(format, out)
    if server and language:
        raise InvalidRequest("--language: the server takes none, it speaks the voice's own", param="language")
    words = _read(settings.max_text_chars) if text in (None, "-") else str(text)
    wanted = _Wanted(settings, words, voice, language, speed, server)
    silent = why_silent() if out is None and format is None else None
    if out is None and format is None and silent is None:
        asyncio.run(_play(wanted))
        return
    where = out or f"speech.{wire}"
    asyncio.run(_write(wanted, wire, where))
    if where != "-":
        note(f"{silent}: wrote {where}" if silent else f"wrote {where}")


@asynccontextmanager
async def _speech(wanted: _Wanted) -> AsyncIterator[Speech]:
    given = wanted.settings
    if wanted.server:
        key = given.api_key.get_secret_value() if given.api_key else None
        yield ServerSpeech(wanted.server, wanted.text, wanted.voice, wanted.speed, key)
        return
    async with local_speech(given, wanted.text, wanted.voice, wanted.language, wanted.speed) as speech:
        yield speech


async def _play(wanted: _Wanted) -> None:
    speaker: Speaker | None = None
    try:
        with _Bar("spoken") as bar:
            async with _speech(wanted) as speech:
                async with aclosing(speech.chunks()) as chunks:
                    async for chunk in chunks:
                        speaker = speaker or Speaker(chunk.sample_rate)
                        await asyncio.to_thread(speaker.write, chunk.samples)
                        bar.add(chunk.samples.size / chunk.sample_rate)
        if speaker:
            await asyncio.to_thread(speaker.drain)
    finally:
        if speaker:
            speaker.close()


async def _write(wanted: _Wanted, format: Format, where: str) -> None:
    sink: Sink = StdoutSink() if where == "-" else FileSink(Path(where))
    try:
        with _Bar("made") as bar:
            async with _speech(wanted) as speech:
                async with aclosing(speech.encoded(format)) as encoded:
                    async for data in encoded:
                        sink.write(data)
                        bar.add(len(data))
        sink.finish()
    finally:
        sink.close()


class _Bar:
    """A bar on standard error, gone when it is over; seconds while playing, bytes while writing."""

    def __init__(self, done: str) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[shown]}"),
            console=notes(),
            transient=True,
        )
        self._done = done
        self._sum = 0.0
        self._task = self._bar.add_task("loading", total=None, shown="")

    def add(self, amount: float) -> None:
        self._sum += amount
        shown = f"{self._sum:.1f} s" if self._done == "spoken" else f"{self._sum / 1000:,.0f} kB"
        self._bar.update(self._task, description=self._done, shown=shown)

    def __enter__(self) -> "_Bar":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


def _format(asked: str | None, out: str | None) -> Format:
    name = asked or (Path(out).suffix.lstrip(".").lower() if out and out != "-" else "") or "wav"
    for known in _FORMATS:
        if name == known or (known, name) == ("opus", "ogg"):
            found: Format = known
            return found
    field, param = ("--format", "format") if asked else ("the ending of --out", "out")
    raise InvalidRequest(f"{field} is {name!r}: expected one of {', '.join(_FORMATS)}", param=param)


def _read(max_chars: int) -> str:
    if sys.stdin.isatty():
        note("reading the text from standard input; Ctrl-D ends it")
    # a character has at most four bytes in UTF-8; one more tells that there are too many
    raw = sys.stdin.buffer.read(4 * max_chars + 1)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as bad:
        raise InvalidRequest(f"standard input is not UTF-8 (byte {bad.start})", param="text") from bad
