"""`june-tts config`: the settings in effect."""

from typing import Annotated, Any

import typer
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from june_tts.cli.output import show_json, show_table
from june_tts.settings import Loaded, Settings, load


def config(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    reference: Annotated[
        bool, typer.Option("--reference", help="Print the reference of all settings as Markdown instead.")
    ] = False,
) -> None:
    """Show the settings in effect and where each came from.

    Secrets are shown as set or not, never by value.
    """
    if reference:
        typer.echo(settings_reference(), nl=False)
        return
    rows = _effective(load())
    if as_json:
        show_json({row["setting"]: {"value": row["value"], "origin": row["origin"]} for row in rows})
        return
    show_table(
        ["setting", "value", "from"],
        [(row["setting"], _cell(row["value"]), row["origin"]) for row in rows],
    )


def settings_reference() -> str:
    """docs/reference/settings.md."""
    lines = [
        "# Settings",
        "",
        "Read once at start: the environment, then the TOML file named by `JUNE_CONFIG_FILE` (same names",
        "in lower case, with or without `june_`), then the default. An unknown `JUNE_` name or a bad value",
        "stops the start. `june-tts config` shows what is in effect. This page is printed by",
        "`june-tts config --reference`.",
        "",
        "| setting | default | what it does |",
        "|---|---|---|",
    ]
    for field in Settings.model_fields.values():
        lines.append(f"| `{field.alias}` | {_default(field)} | {field.description} |")
    return "\n".join(lines) + "\n"


def _effective(loaded: Loaded) -> list[dict[str, Any]]:
    return [
        {
            "setting": field.alias,
            "value": _plain(getattr(loaded.settings, name)),
            "origin": loaded.origins[name],
        }
        for name, field in Settings.model_fields.items()
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return "(secret)"
    if isinstance(value, tuple):
        return list(value)
    return value if isinstance(value, bool | int | float | dict | None) else str(value)


def _cell(value: Any) -> str:
    if value is None or value == {}:
        return "–"
    if isinstance(value, list):
        return ",".join(value)
    return ",".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else str(value)


def _default(field: FieldInfo) -> str:
    if field.alias == "JUNE_DATA_DIR":
        # not the path itself, which differs from machine to machine
        return "the user's data folder, on Linux `~/.local/share/june-tts`"
    value = field.default if field.default is not PydanticUndefined else None
    return "" if value in (None, ()) else f"`{_cell(_plain(value))}`"
