"""As much of Markdown as the tests of the documentation read: headings, tables, fenced blocks, links."""

import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"

_FENCE = re.compile(r"^(?:<!-- (?P<note>[^\n]*) -->\n)?```(?P<language>\w*)\n(?P<body>.*?)^```$", re.M | re.S)
_HEADING = re.compile(r"^(#{1,6}) (.+)$", re.M)
_CODE = re.compile(r"``(.+?)``|`([^`]+)`")
_LINK = re.compile(r"\[[^\]]*\]\(([^()\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block; `note` is the comment on the line before it."""

    language: str
    body: str
    note: str


@cache
def pages() -> tuple[Path, ...]:
    """Every Markdown file of the repository that is not ignored."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return tuple(path for line in sorted(found.split("\n")) if line and (path := ROOT / line).exists())


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path) -> list[Block]:
    return [Block(m["language"], m["body"], m["note"] or "") for m in _FENCE.finditer(read(page))]


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return _FENCE.sub("", read(page))


def sections(page: Path) -> Iterator[tuple[str, str]]:
    """Each heading with the text up to the next one."""
    parts = _HEADING.split(prose(page))
    for at in range(1, len(parts), 3):
        yield parts[at + 1], parts[at + 2]


def tables(text: str) -> Iterator[list[list[str]]]:
    """Each table as rows of cells, the header first."""
    rows: list[list[str]] = []
    for line in [*text.split("\n"), ""]:
        if line.startswith("|"):
            cells = re.split(r"(?<!\\)\|", line.strip()[1:-1])
            rows.append([cell.strip().replace("\\|", "|") for cell in cells])
        elif rows:
            yield [row for row in rows if not all(re.fullmatch(":?-+:?", cell) for cell in row)]
            rows = []


def table(text: str, header: str) -> list[list[str]]:
    """The rows of all tables whose first column has this header."""
    return [row for found in tables(text) if found[0][0] == header for row in found[1:]]


def codes(text: str) -> list[str]:
    """What stands in backticks."""
    return [m[1] or m[2] for m in _CODE.finditer(text)]


def code(cell: str) -> str:
    """The one thing in backticks in a cell."""
    (found,) = codes(cell)
    return found


def links(page: Path) -> Sequence[str]:
    return _LINK.findall(prose(page))


def anchors(page: Path) -> set[str]:
    """The names that GitHub gives the headings of a page."""
    titles = (title for title, _ in sections(page))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
