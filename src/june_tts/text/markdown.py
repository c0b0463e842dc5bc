"""Markdown and HTML that a language model left in its answer, taken out so that words remain.

Stateless on purpose: a long text arrives in blocks, and a fence or `**` left open must not swallow the rest.
Fenced code keeps its words: what the caller sent is never silently left unspoken.
"""

import html
import re

_COMMENT = re.compile(r"<!--.{0,2000}?-->", re.DOTALL)
_BREAK = re.compile(r"<(?:br|hr|/p|/div|/li|/tr|/h[1-6])\s*/?>", re.IGNORECASE)
_AUTOLINK = re.compile(r"<((?:https?://|mailto:)[^<>\s]+|[^<>\s@]+@[^<>\s@]+)>")
_TAG = re.compile(r"</?[A-Za-z][A-Za-z0-9-]*(?:\s[^<>\n]*)?/?>")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9A-Fa-f]{1,6}|[A-Za-z]{2,8});")
_LINK = re.compile(r"!?\[([^\[\]\n]*)\](?:\((?:[^()\s]|\([^()\s]*\))*(?:\s+\"[^\"\n]*\")?\)|\[[^\[\]\n]*\])")
_FOOTNOTE = re.compile(r"\[\^[^\[\]\s]{1,40}\]:?")
_WIKI = re.compile(r"\[\[(?:[^\[\]|\n]*\|)?([^\[\]|\n]*)\]\]")
_ESCAPE = re.compile(r"\\([\\`*_{}\[\]()#+.!|~>-])")

_FENCE = re.compile(r"^[ ]*(?:`{3,}|'{3,}|~{3,})[ ]*[\w+#.-]*[ ]*$")
_RULE = re.compile(r"^[ ]*(?:(?:\*[ ]*){3,}|(?:-[ ]*){3,}|(?:_[ ]*){3,}|={3,})$")
_TABLE_RULE = re.compile(r"^[ ]*\|?[ ]*:?-+:?[ ]*(?:\|[ ]*:?-+:?[ ]*)+\|?[ ]*$")
_HEADING = re.compile(r"^[ ]{0,3}#{1,6}[ ]+(.*?)[ ]*#*$")
_QUOTE = re.compile(r"^(?:[ ]{0,3}>[ ]?)+")
_BULLET = re.compile(r"^[ ]*[-*+\u2022][ ]+(?:\[[ xX]\][ ]+)?(?=\S)")
_NUMBERED = re.compile(r"^[ ]*(\d{1,3})[.)][ ]+(?=\S)")
_ENDED = re.compile(r"[.!?:;,\u3002\uff01\uff1f]['\")\]*_]*$")

SHORT_LINE = 50
"""Characters; text that an editor wrapped has longer lines."""

_STRONG = re.compile(r"\*{2,}|_{2,}|~{2}|`+")
_EMPHASIS = re.compile(r"(?<![\w*])[*_](?=[^\s*_])|(?<=[^\s*_])[*_](?![\w*])")


def strip_markdown(text: str, *, within_line: bool = False) -> str:
    """Plain text: soft line breaks become spaces, headings and list items end as sentences do.

    Paragraphs stay separated by one blank line. `within_line`: it begins in the middle of a line.
    """
    if "\n" not in text and not re.search(r"[*_`#<>|\[\]~&\\=+\u2022-]|^\s*\d", text):
        return text
    first, *others = _inline_html(text).split("\n")
    begun = ("text", _inline(first)) if within_line and first.strip() else _line(first)
    return _join([begun, *map(_line, others)])


def _inline_html(text: str) -> str:
    if "<" in text:
        text = _BREAK.sub("\n", _COMMENT.sub(" ", text))
        text = _TAG.sub("", _AUTOLINK.sub(r"\1", text))
    # entities last, or `&lt;b&gt;` would turn into a tag and vanish
    return _ENTITY.sub(lambda m: html.unescape(m[0]), text) if "&" in text else text


def _line(line: str) -> tuple[str, str]:
    """(kind, words): kind is "blank", "text", "item" or "heading"."""
    if not line.strip():
        return "blank", ""
    line = _QUOTE.sub("", line)
    if _FENCE.match(line) or _TABLE_RULE.match(line):
        return "skip", ""
    if not line.strip() or _RULE.match(line):
        return "blank", ""
    heading = _HEADING.match(line)
    if heading:
        return "heading", _inline(heading[1])
    line, bullets = _BULLET.subn("", line, count=1)
    line, numbers = _NUMBERED.subn(r"\1, ", line, count=1)
    if line.lstrip().startswith("|"):
        return "item", ", ".join(_inline(cell) for cell in line.strip(" |").split("|"))
    return "item" if bullets or numbers else "text", _inline(line)


def _inline(text: str) -> str:
    if "[" in text:
        text = _FOOTNOTE.sub("", _WIKI.sub(r"\1", text))
        text = _LINK.sub(r"\1", text)
        text = _LINK.sub(r"\1", text)  # an image within a link
    text = _EMPHASIS.sub("", _STRONG.sub("", text))
    return _ESCAPE.sub(r"\1", text).strip()


def _join(lines: list[tuple[str, str]]) -> str:
    out: list[str] = []
    previous = "blank"
    for kind, words in lines:
        if kind == "skip":
            continue
        if kind == "blank" or (not words):
            previous = "blank" if kind == "blank" else previous
            continue
        if out:
            out.append(_gap(previous, kind, out[-1], words))
        out.append(words)
        previous = kind
    text = "".join(out)
    return text + _stop(text) if previous in {"item", "heading"} else text


def _gap(previous: str, kind: str, before: str, after: str) -> str:
    if previous in {"blank", "heading"} or kind == "heading":
        return _stop(before) + "\n\n"
    if previous == "item" and kind == "text":
        return " "  # a list item goes on in the next line
    if kind == "item":
        return _stop(before) + " "
    # a short line before a capital was broken on purpose: a verse, an address
    verse = len(before) < SHORT_LINE and after[0].isupper() and not _ENDED.search(before)
    return ", " if verse else " "


def _stop(text: str) -> str:
    return "" if _ENDED.search(text) else "."
