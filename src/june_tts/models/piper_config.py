"""Reading a Piper voice's own description: `<voice>.onnx.json` and its model card."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from june_tts.models.files import PiperFiles

_MAX_CONFIG_BYTES = 4 << 20
_MAX_CARD_BYTES = 1 << 16
_MAX_SPEAKERS = 10_000
_LICENSE = re.compile(r"^[\s*-]*licen[cs]e:\s*(\S.*?)\s*$", re.IGNORECASE | re.MULTILINE)


def read_voice(model: Path, voice_id: str | None = None) -> PiperFiles:
    """The voice whose model is at `model`.

    Raises:
        OSError: the config cannot be read.
        ValueError: it is not a Piper config; the message says what is wrong.
    """
    config = model.with_name(f"{model.name}.json")
    if not model.stat().st_size:
        raise ValueError("the model is empty")
    found = _load(config)
    rate = _number(_section(found, "audio"), "sample_rate", 8_000, 192_000)
    speakers = _number(found, "num_speakers", 1, _MAX_SPEAKERS, 1)
    espeak = _text(_section(found, "espeak"), "voice")
    return PiperFiles(
        id=voice_id or model.stem,
        name=_name(found, voice_id or model.stem),
        model=model,
        config=config,
        languages=(_language(found, espeak),),
        sample_rate=rate,
        license=_license(model, found),
        espeak_voice=espeak,
        phoneme_type=str(found.get("phoneme_type", "espeak")),
        speakers=_speakers(found, speakers),
        num_speakers=speakers,
        version=f"{_state(model)} {_state(config)}",
    )


def _state(path: Path) -> str:
    """Not a hash of what is in it: folders are looked through on the event loop."""
    found = path.stat()
    return f"{found.st_size}-{found.st_mtime_ns}"


def _load(config: Path) -> Mapping[str, Any]:
    with config.open("rb") as file:
        raw = file.read(_MAX_CONFIG_BYTES + 1)
    if len(raw) > _MAX_CONFIG_BYTES:
        raise ValueError(f"the config is over {_MAX_CONFIG_BYTES} bytes")
    try:
        found = json.loads(raw)
    except RecursionError as bad:
        raise ValueError("the config is nested too deeply") from bad
    if not isinstance(found, dict):
        raise ValueError("the config is not a JSON object")
    if not isinstance(found.get("phoneme_id_map"), dict):
        raise ValueError("phoneme_id_map is missing")
    return found


def _section(found: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    section = found.get(key)
    if not isinstance(section, dict):
        raise ValueError(f"{key} is missing")
    return section


def _number(found: Mapping[str, Any], key: str, low: int, high: int, default: int | None = None) -> int:
    value = found.get(key, default)
    if not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{key} is {value!r}: expected a whole number from {low} to {high}")
    return value


def _text(found: Mapping[str, Any], key: str) -> str:
    value = found.get(key)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key} is {value!r}: expected a word")
    return value


def _language(found: Mapping[str, Any], espeak: str) -> str:
    # configs before Piper 1.0 have no language, only espeak's name of it, such as en-us
    code = _section(found, "language").get("code") if "language" in found else espeak
    if not isinstance(code, str) or not re.fullmatch(r"[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8})*", code):
        raise ValueError(f"language.code is {code!r}: expected a code such as en_US")
    main, *rest = code.replace("_", "-").split("-")
    return "-".join([main.lower(), *(part.upper() if len(part) == 2 else part for part in rest)])


def _speakers(found: Mapping[str, Any], count: int) -> Mapping[str, int]:
    names = found.get("speaker_id_map") or {}
    if not isinstance(names, dict):
        raise ValueError("speaker_id_map is not a JSON object")
    for number in names.values():
        if not isinstance(number, int) or not 0 <= number < count:
            raise ValueError(f"speaker_id_map holds {number!r}: expected numbers from 0 to {count - 1}")
    return {str(name): number for name, number in names.items()}


def _name(found: Mapping[str, Any], voice_id: str) -> str:
    name = found.get("dataset")
    return name.replace("_", " ").capitalize() if isinstance(name, str) and name else voice_id


def _license(model: Path, found: Mapping[str, Any]) -> str:
    own = _card(model.with_name(f"{model.stem}.MODEL_CARD"))
    shared = _card(model.with_name("MODEL_CARD"))
    # a folder with many voices has one MODEL_CARD, so it counts only for the voice it names
    named = str(found.get("dataset") or model.stem)
    if not own and named.lower() in shared.partition("\n")[0].lower():
        own = shared
    match = _LICENSE.search(own)
    return match.group(1)[:100] if match else "unknown"


def _card(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_CARD_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
