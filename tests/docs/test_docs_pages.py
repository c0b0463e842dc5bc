"""Every page: its links lead somewhere, its commands exist, and it names no machine of ours."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.docs.markdown import (
    DOCS,
    REFERENCE,
    ROOT,
    anchors,
    blocks,
    code,
    codes,
    links,
    name,
    pages,
    prose,
    read,
    table,
)

from june_tts.cli.main import COMMANDS, load_command
from june_tts.settings import NO_SETTINGS, Settings

pytestmark = pytest.mark.unit

SETTINGS = {str(field.alias) for field in Settings.model_fields.values()} | {*NO_SETTINGS}
PACKAGE = ROOT / "src" / "june_tts"
FOLDERS = {path.name for base in (ROOT, PACKAGE) for path in base.iterdir() if path.is_dir()}
every_page = pytest.mark.parametrize("page", pages(), ids=name)


@every_page
def test_links_lead_to_files_and_headings_that_exist(page: Path) -> None:
    for link in links(page):
        if "://" in link or link.startswith("mailto:"):
            continue
        target, _, anchor = link.partition("#")
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), f"{link} leads nowhere"
        assert not anchor or anchor in anchors(file), f"{link}: no such heading"


@every_page
def test_pages_name_no_machine_of_ours_and_no_package_registry(page: Path) -> None:
    folders = re.findall(r"(?<![\w.>}~])/(?:work|root|home|Users|tmp)/\S*", read(page))
    # in two parts, so that this file names none either
    hosts = re.findall(r"\b(?:pypi|pythonhosted|npmjs|crates|proxy\.golang)\W?\.(?:org|com|io)\b", read(page))
    assert (folders, hosts) == ([], [])


@every_page
def test_settings_that_are_named_exist(page: Path) -> None:
    named = set(re.findall(r"\b(?:JUNE|WRAPPER|DB)_[A-Z][A-Z_]*[A-Z]\b", read(page)))
    assert named <= SETTINGS


@every_page
def test_commands_that_are_shown_exist_with_their_options(page: Path) -> None:
    for words in commands(page):
        command, rest = find(words)
        options = {flag for param in command.params for flag in (*param.opts, *param.secondary_opts)}
        given = {word.partition("=")[0] for word in rest if word.startswith("-") and word != "-"}
        assert given <= options | {"--help"}, f"june-tts {' '.join(words)}"


@every_page
def test_make_targets_that_are_named_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", read(ROOT / "Makefile"), re.M))
    shown = [block.body for block in blocks(page) if block.language == "sh"]
    named = {
        found for text in [*shown, *codes(prose(page))] for found in re.findall(r"\bmake ([a-z]+)", text)
    }
    assert named <= targets


@every_page
def test_files_that_are_named_exist(page: Path) -> None:
    for word in codes(prose(page)):
        if re.fullmatch(r"[\w./-]+\.(?:py|md|sh|txt|toml)", word) and ours(word):
            assert any((base / word).exists() for base in (ROOT, PACKAGE, PACKAGE / "text", page.parent)), (
                word
            )


def test_every_setting_is_in_the_reference() -> None:
    rows = table(read(REFERENCE / "settings.md"), "setting")
    assert [code(row[0]) for row in rows] == [field.alias for field in Settings.model_fields.values()]


def test_every_page_of_the_documentation_can_be_reached_from_its_front_page() -> None:
    reached, waiting = set(), [DOCS / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached and page.suffix == ".md" and page.exists():
            reached.add(page)
            targets = (link.partition("#")[0] for link in links(page))
            waiting += [(page.parent / target).resolve() for target in targets if target]
    assert {name(page) for page in pages() if DOCS in page.parents} <= {name(page) for page in reached}


def ours(file: str) -> bool:
    """Whether a file's name claims to be one of this repository."""
    folder, slash, _ = file.partition("/")
    return folder in FOLDERS if slash else file.endswith(".py")


def commands(page: Path) -> Iterator[list[str]]:
    """The words after `june-tts` in every command that is shown, in blocks and in the text."""
    shell = [line for block in blocks(page) if block.language == "sh" for line in block.body.split("\n")]
    for line in [*shell, *codes(read(page))]:
        found = re.match(r"(?:\w+=\S+ |\S*bin/)*june-tts ([a-z][^#|><;&]*)", line.strip())
        if found:
            yield shlex.split(found[1])


def find(words: list[str]) -> tuple[Any, list[str]]:
    """The command that words begin with, and what is left of them."""
    assert words[0] in COMMANDS, f"june-tts {words[0]}"
    command, rest = load_command(words[0]), words[1:]
    while rest and rest[0] in getattr(command, "commands", {}):
        command, rest = command.commands[rest[0]], rest[1:]
    return command, rest
