"""TLS in front of a server, as a proxy would have it: some clients speak no other."""

import asyncio
import os
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

SHUT_SECONDS = 10.0


@dataclass(frozen=True)
class Door:
    address: str
    """https://localhost:port"""
    certificate: Path
    """To be trusted."""


@contextmanager
def tls_door(address: str, folder: Path) -> Iterator[Door]:
    """TLS in front of `address`, http://host:port, in a thread of its own."""
    certificate, key = _certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    target = urlsplit(address)

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(target.hostname, target.port)
        await asyncio.gather(_pump(reader, back), _pump(there, writer))

    try:
        opening = asyncio.start_server(relay, "localhost", 0, ssl=context)
        server = asyncio.run_coroutine_threadsafe(opening, loop).result(SHUT_SECONDS)
        yield Door(f"https://localhost:{server.sockets[0].getsockname()[1]}", certificate)
        asyncio.run_coroutine_threadsafe(_shut(server), loop).result(SHUT_SECONDS)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(SHUT_SECONDS)
        loop.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except OSError:
        return  # one side is gone, and the other one will notice
    finally:
        writer.close()


async def _shut(server: asyncio.Server) -> None:
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def _certificate(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    openssl = shutil.which("openssl")
    if openssl is None and not os.environ.get("CI"):
        pytest.skip("openssl is not installed")
    assert openssl, "openssl is not installed"
    wish = [
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-days",
        "1",
        "-subj",
        "/CN=localhost",
    ]
    subprocess.run(
        [openssl, "req", "-x509", "-nodes", *wish, "-addext", "subjectAltName=DNS:localhost"]
        + ["-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )
    return certificate, key
