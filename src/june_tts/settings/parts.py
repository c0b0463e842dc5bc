"""How lists, maps and addresses are written in a setting."""

import re

from june_tts.errors import shown


def comma_list(value: object) -> object:
    """`a, b` to a list; anything else as it is."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def comma_map(value: object) -> object:
    """`a=b,c=d` to a dict; anything else as it is."""
    if not isinstance(value, str):
        return value
    found: dict[str, str] = {}
    for part in value.split(","):
        name, _, target = (side.strip() for side in part.partition("="))
        if not part.strip():
            continue
        if not name or not target:
            raise ValueError(f"{shown(part.strip())} should be name=voice")
        if name in found:
            raise ValueError(f"{shown(name)} is there twice")
        found[name] = target
    return found


def each_once(value: tuple[str, ...]) -> tuple[str, ...]:
    """Raises: ValueError, for what is there twice."""
    if len(set(value)) < len(value):
        raise ValueError("Each should be there once")
    return value


def addresses(value: tuple[str, ...]) -> tuple[str, ...]:
    """Without a slash at the end, or the `/v1` that clients of OpenAI's API put there."""
    for address in value:
        if not re.fullmatch(r"https?://[^\s/@?#]+(/[^\s@?#]*)?", address):
            raise ValueError("Each should be http://host:port, without a user, a query or a fragment")
    return tuple(address.rstrip("/").removesuffix("/v1") for address in value)


def hosts(value: tuple[str, ...]) -> tuple[str, ...]:
    """In lower case. Raises: ValueError."""
    for name in value:
        if not re.fullmatch(r"(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\]", name):
            raise ValueError(f"{shown(name)} should be a name or an address without a port, or *.name")
    return tuple(name.lower() for name in value)


def origins(value: tuple[str, ...]) -> tuple[str, ...]:
    """As browsers send them. Raises: ValueError."""
    for origin in value:
        if origin != "*" and not re.fullmatch(r"https?://[^\s/@?#*]+/?", origin):
            raise ValueError(f"{shown(origin)} should be https://host, with a port if it has one, or *")
    return tuple(origin.rstrip("/").lower() for origin in value)
