"""`june-tts fish serve`: in the place of fish-speech's `tools/api_server`, with its flags and its port."""

import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from june_tts.bootstrap import running_alone
from june_tts.cli.output import note
from june_tts.cli.serve import tell
from june_tts.errors import InvalidRequest, shown
from june_tts.http.app import create_app
from june_tts.settings import Settings, load
from june_tts.store.reference_folders import ReferenceFolders
from june_tts.telemetry import log
from june_tts.workers.alone import serve_app
from june_tts.workers.door import listening, url
from june_tts.workers.memory import give_back_large_blocks
from june_tts.workers.process import on_the_fastest_loop

REFERENCES = Path("references")
"""Below the folder that the server is started in, as the original has it."""
CHECKPOINT = Path("checkpoints/openaudio-s1-mini")

_LISTEN = re.compile(r"(?:\[(?P<six>[^\]]+)\]|(?P<host>[^:\[\]]+)):(?P<port>[0-9]{1,5})")


def serve(
    mode: Annotated[Literal["tts"], typer.Option(help="`tts` is the one there is.")] = "tts",
    llama_checkpoint_path: Annotated[
        Path, typer.Option(help="Folder with config.json, the weights and the tokeniser.")
    ] = CHECKPOINT,
    decoder_checkpoint_path: Annotated[Path, typer.Option(help="The codec's file.")] = CHECKPOINT
    / "codec.pth",
    decoder_config_name: Annotated[
        str, typer.Option(help="`modded_dac_vq` is the one there is.")
    ] = "modded_dac_vq",
    device: Annotated[
        Literal["cuda", "cpu"], typer.Option(help="`cuda` is the CPU where there is no GPU.")
    ] = "cuda",
    half: Annotated[
        bool,
        typer.Option("--half", help="float16. Without it JUNE_FISH_DTYPE, which is bfloat16 unless set."),
    ] = False,
    compile: Annotated[
        bool, typer.Option("--compile", help="Have torch write faster kernels; takes longer to start.")
    ] = False,
    max_text_length: Annotated[
        int, typer.Option(min=0, help="Characters of a text at most; 0: JUNE_MAX_TEXT_CHARS.")
    ] = 0,
    listen: Annotated[str, typer.Option(help="HOST:PORT, or [HOST]:PORT with IPv6.")] = "127.0.0.1:8080",
    workers: Annotated[
        int,
        typer.Option(min=1, help="More than 1 has no effect, and said so: one engine batches all requests."),
    ] = 1,
    api_key: Annotated[
        str | None, typer.Option(help="Asked for as a bearer token. Unset: JUNE_API_KEY.")
    ] = None,
) -> None:
    """Serve Fish's HTTP API, as fish-speech's `tools/api_server` does.

    Voices are read from `references/<id>/`, recordings with their words in `.lab` files beside them. Limits,
    logging and the engine's size come from the settings that `june-tts serve` has.
    """
    options: dict[str, Any] = {
        **_address(listen),
        "LLAMA_CHECKPOINT_PATH": llama_checkpoint_path,
        "DECODER_CHECKPOINT_PATH": decoder_checkpoint_path,
        "DECODER_CONFIG_NAME": decoder_config_name,
        "JUNE_FISH_DEVICE": "cpu" if device == "cpu" else "auto",
        "JUNE_FISH_DTYPE": "float16" if half else None,
        "COMPILE": "true" if compile else None,
        "JUNE_MAX_TEXT_CHARS": max_text_length or None,
        "JUNE_API_KEY": api_key,
    }
    overrides = {name: value for name, value in options.items() if value is not None}

    def read() -> Settings:
        return load(overrides=overrides).settings

    settings = read()
    log.configure(settings.log_level, settings.log_format)
    if workers > 1:
        note(f"--workers {workers} has no effect here: one engine serves all requests in one batch")
    with listening(settings, f"--listen {shown(listen)}") as listener:
        give_back_large_blocks()
        on_the_fastest_loop(_serve(settings, listener, read))


def _address(listen: str) -> dict[str, Any]:
    found = _LISTEN.fullmatch(listen)
    if found is None:
        raise InvalidRequest(f"--listen is {shown(listen)}: expected HOST:PORT, or [HOST]:PORT with IPv6")
    return {"WRAPPER_HOST": found["six"] or found["host"], "WRAPPER_PORT": found["port"]}


async def _serve(settings: Settings, listener: socket.socket, read: Callable[[], Settings]) -> None:
    note("june-tts: loading the Fish engine …")
    async with running_alone(settings, ReferenceFolders(REFERENCES)) as services:
        app = create_app(services, fish_alone=True)
        said = f"Fish's API is at {url(listener)}/v1/tts, described at /docs"
        await serve_app(app, services, settings, listener, read, lambda: tell(said))
