"""A rule is a pattern and what to say instead; the rules of one concern run in order over one block."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

Spoken = str | Callable[[re.Match[str]], str]

NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+"
"""A number without its sign: `5`, `1,299.99`, `.5`."""
START = r"(?<![\w.,])"
"""Not within a longer number or word. A run of digits is tried once, not once per digit."""
DIGITS = "0123456789"


class Rule(NamedTuple):
    pattern: re.Pattern[str]
    spoken: Spoken
    needs: frozenset[str]
    """Characters one of which every match has: plain prose skips most rules, at half the cost."""


def rule(pattern: str, spoken: Spoken, needs: str = "", flags: int = 0) -> Rule:
    return Rule(re.compile(pattern, flags), spoken, frozenset(needs))


def apply(rules: Sequence[Rule], text: str) -> str:
    """No rule may write a character that a later rule of the same sequence `needs`."""
    present = frozenset(text)
    for pattern, spoken, needs in rules:
        if not needs or not needs.isdisjoint(present):
            text = pattern.sub(spoken, text)
    return text
