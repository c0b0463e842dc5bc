"""Addresses as people say them: `https://example.com/docs` is "example dot com slash docs"."""

import re

_TLD = "com|org|net|edu|gov|io|ai|dev|app|co|uk|us|eu|de|fr|jp|info|me|tv|xyz|tech|ca|au|ch|nl|in|gg|sh"
_SCHEME = re.compile(r"\b(?:https?|ftp|wss?)://(?:www\.)?|\bmailto:|\bwww\.(?=\w)", re.IGNORECASE)
_URL = re.compile(
    rf"(?<![\w@.])(?:(?:https?|ftp|wss?)://[^\s<>\"']+"
    rf"|(?:[A-Za-z0-9-]{{1,63}}\.){{1,5}}(?:{_TLD})\b(?![.]\w)(?::\d+)?(?:/[^\s<>\"']*)?)"
)
_EMAIL = re.compile(r"(?<![\w.+-])(?:mailto:)?([\w.+-]{1,64})@((?:[\w-]{1,63}\.){1,5}[A-Za-z]{2,24})\b")
_HANDLE = re.compile(r"(?<![\w@.])@(?=[A-Za-z_])([\w.]*\w)")
_HASHTAG = re.compile(r"(?<![\w#&])#(?=\w*[A-Za-z])(\w+)")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z])(?=\d)")
_TRAILING = re.compile(r"[.,;:!?)\]}'*]+$")

_SIGNS = {
    ".": "dot",
    "/": "slash",
    "@": "at",
    "-": "dash",
    "_": "underscore",
    ":": "colon",
    "?": "question mark",
    "&": "and",
    "=": "equals",
    "#": "hash",
    "+": "plus",
    "%": "percent",
    "~": "tilde",
}
_SIGN = re.compile("[" + re.escape("".join(_SIGNS)) + "]")


def strip_schemes(text: str) -> str:
    """For languages without rules of their own: the phonemiser reads the address."""
    return _SCHEME.sub("", text) if ":" in text or "www." in text else text


def say_links(text: str) -> str:
    if "@" in text:
        text = _EMAIL.sub(lambda m: f"{_say(m[1])} at {_say(m[2])}", text)
        text = _HANDLE.sub(lambda m: "at " + _words(m[1]), text)
    if "." in text or "://" in text:
        text = _URL.sub(_say_url, text)
    return _HASHTAG.sub(lambda m: "hashtag " + _words(m[1]), text) if "#" in text else text


def _say_url(found: re.Match[str]) -> str:
    url = found[0]
    tail = _TRAILING.search(url)
    end = tail[0] if tail else ""
    body = url[: len(url) - len(end)]
    return _say(_SCHEME.sub("", body).rstrip("/")) + end


def _say(address: str) -> str:
    spoken = _SIGN.sub(lambda m: f" {_SIGNS[m[0]]} ", address)
    return " ".join(spoken.split())


def _words(name: str) -> str:
    return " ".join(_HUMP.sub(" ", name.replace("_", " ").replace(".", " dot ")).split())
