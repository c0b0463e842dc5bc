"""One of several web workers: `python -m june_tts.workers.web SOCKET`."""

import asyncio
import os
import socket
from dataclasses import asdict, replace

import structlog

from june_tts.bootstrap import running
from june_tts.engine.host_link import HostLink, HostPatience
from june_tts.http.app import create_app
from june_tts.http.services import Services
from june_tts.http.warmup import warm_up
from june_tts.settings import Settings
from june_tts.workers.asking import Asking
from june_tts.workers.control import Control, Line
from june_tts.workers.counts import snapshot
from june_tts.workers.process import FAILED, Orders, run, told
from june_tts.workers.reloading import Reloading
from june_tts.workers.server import Server, server_config

ENGINES_SECONDS = 900.0
"""For the engines to load; torch may compile for minutes."""

log = structlog.get_logger(__name__)


async def web(control: Control, orders: Orders) -> None:
    """Until it is told to end, or the supervisor is gone."""
    asking = Asking(control)
    link = HostLink(orders.path, HostPatience(start=ENGINES_SECONDS))
    await link.start()
    try:
        async with running(orders.settings, link) as services:
            await _serve(control, orders, replace(services, everyone=asking), asking)
    finally:
        await link.close()


async def _serve(control: Control, orders: Orders, services: Services, asking: Asking) -> None:
    settings = orders.settings
    app = create_app(services)
    server = Server(server_config(app, settings), services, settings.drain_seconds, signals=False)
    reloading = Reloading(app, services, server, tells=orders.name == "0")
    await warm_up(app, services.engines)
    listener = socket.socket(fileno=orders.listener)
    serving = asyncio.create_task(server.serve([listener]))
    listening = asyncio.create_task(server.listening.wait())
    await asyncio.wait({serving, listening}, return_when=asyncio.FIRST_COMPLETED)
    control.tell("ready")

    def handle(line: Line) -> None:
        if line.get("kind") == "answer":
            asking.answer(line)
        elif line.get("kind") == "reload":
            reloading.again(lambda: Settings.model_validate(line["settings"]))
        elif line.get("kind") == "counts":
            value = {
                "families": snapshot(services.metrics.registry),
                "totals": asdict(services.recorder.totals),
            }
            control.tell("answer", number=line["number"], value=value)

    hearing = asyncio.create_task(told(control, handle))
    await asyncio.wait({serving, hearing}, return_when=asyncio.FIRST_COMPLETED)
    if hearing.done() and not hearing.result():
        log.error("supervisor gone: ending at once")
        os._exit(FAILED)
    server.should_exit = True
    await serving
    hearing.cancel()
    await asyncio.gather(hearing, listening, return_exceptions=True)


if __name__ == "__main__":
    run(web)
