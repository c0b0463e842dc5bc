"""`june-tts keys`: who may call the servers of this database."""

import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from june_tts.cli.access import with_desk
from june_tts.cli.output import note, show_json, show_table
from june_tts.errors import InvalidRequest, shown
from june_tts.http.routes.admin import key_json
from june_tts.types import ApiKey, KeyLimits

keys = typer.Typer(help="Make, list, limit and revoke API keys.", no_args_is_help=True, add_completion=False)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
KeyId = Annotated[str, typer.Argument(metavar="ID", help="Id of a key: the part between the underscores.")]
Requests = Annotated[int | None, typer.Option(min=0, help="Requests a minute; 0: no limit.")]
CharactersMinute = Annotated[int | None, typer.Option(min=0, help="Characters a minute; 0: no limit.")]
AudioMinute = Annotated[int | None, typer.Option(min=0, help="Seconds of audio a minute; 0: no limit.")]
Streams = Annotated[int | None, typer.Option(min=0, help="Streams at once; 0: no limit.")]
CharactersDay = Annotated[int | None, typer.Option(min=0, help="Characters a day (UTC); 0: no limit.")]
CharactersMonth = Annotated[int | None, typer.Option(min=0, help="Characters a month (UTC); 0: no limit.")]
AudioDay = Annotated[int | None, typer.Option(min=0, help="Seconds of audio a day (UTC); 0: no limit.")]
AudioMonth = Annotated[int | None, typer.Option(min=0, help="Seconds of audio a month (UTC); 0: no limit.")]

_SPAN = re.compile(r"([1-9][0-9]{0,5})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


@keys.command("add")
def add_key(
    name: Annotated[str, typer.Argument(help="Whose it is, for people.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help="speak, voices or admin; several times for several. speak unless given."),
    ] = None,
    expires: Annotated[
        str | None, typer.Option(help="After how long it ends: 90d, 12h, 4w. Never unless given.")
    ] = None,
    requests_per_minute: Requests = None,
    characters_per_minute: CharactersMinute = None,
    audio_seconds_per_minute: AudioMinute = None,
    streams: Streams = None,
    characters_per_day: CharactersDay = None,
    characters_per_month: CharactersMonth = None,
    audio_seconds_per_day: AudioDay = None,
    audio_seconds_per_month: AudioMonth = None,
    as_json: Json = False,
) -> None:
    """Make a key and print it: the only time that it is seen. Limits that are not given are the server's."""
    limits = KeyLimits(
        requests_per_minute,
        characters_per_minute,
        audio_seconds_per_minute,
        streams,
        characters_per_day,
        characters_per_month,
        audio_seconds_per_day,
        audio_seconds_per_month,
    )
    made = with_desk(lambda desk, _: desk.make(name, scope or ["speak"], limits, _end(expires)))
    if as_json:
        show_json({"key": made.text, **key_json(made.key)})
        return
    note(f"{made.key.name}: {', '.join(sorted(made.key.scopes))}. Keep it: it cannot be shown again.")
    typer.echo(made.text)


@keys.command("list")
def list_keys(as_json: Json = False) -> None:
    """List the keys there are, revoked ones too."""
    found = with_desk(lambda desk, _: desk.list())
    if as_json:
        show_json([key_json(key) for key in found])
        return
    columns = ["id", "name", "scopes", "limits", "made", "ends", "state"]
    show_table(columns, [_row(key) for key in found])


@keys.command("limit")
def limit_key(
    key_id: KeyId,
    requests_per_minute: Requests = None,
    characters_per_minute: CharactersMinute = None,
    audio_seconds_per_minute: AudioMinute = None,
    streams: Streams = None,
    characters_per_day: CharactersDay = None,
    characters_per_month: CharactersMonth = None,
    audio_seconds_per_day: AudioDay = None,
    audio_seconds_per_month: AudioMonth = None,
    as_json: Json = False,
) -> None:
    """Change limits of a key; those that are not given stay."""
    limits = KeyLimits(
        requests_per_minute,
        characters_per_minute,
        audio_seconds_per_minute,
        streams,
        characters_per_day,
        characters_per_month,
        audio_seconds_per_day,
        audio_seconds_per_month,
    )
    _show(with_desk(lambda desk, _: desk.limit(key_id, limits)), as_json)


@keys.command("revoke")
def revoke_key(
    key_id: KeyId,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Refuse a key from now on, for good. Every server of this database knows within a second."""
    if not yes:
        typer.confirm(f"Revoke the key {key_id}?", abort=True, err=True)
    _show(with_desk(lambda desk, _: desk.revoke(key_id)), as_json)


def _show(key: ApiKey, as_json: bool) -> None:
    document = key_json(key)
    if as_json:
        show_json(document)
    else:
        show_table(["field", "value"], [(name, _cell(value)) for name, value in document.items()])


def _row(key: ApiKey) -> tuple[str, ...]:
    state = "revoked" if key.revoked_at else "good"
    if not key.revoked_at and key.expires_at and key.expires_at <= datetime.now(UTC):
        state = "expired"
    return (
        key.key_id,
        key.name,
        ", ".join(sorted(key.scopes)),
        _cell({name: value for name, value in asdict(key.limits).items() if value is not None}),
        f"{key.created_at:%Y-%m-%d}",
        f"{key.expires_at:%Y-%m-%d %H:%M}" if key.expires_at else "never",
        state,
    )


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={one}" for name, one in value.items()) or "the server's"
    if isinstance(value, list):
        return ", ".join(value)
    return "–" if value is None else str(value)


def _end(span: str | None) -> datetime | None:
    if span is None:
        return None
    found = _SPAN.fullmatch(span.strip())
    if found is None:
        raise InvalidRequest(
            f"--expires is {shown(span)}: expected a number and s, m, h, d or w, as 90d", param="expires"
        )
    return datetime.now(UTC) + timedelta(seconds=int(found[1]) * _SECONDS[found[2]])
