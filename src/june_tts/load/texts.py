"""Natural English texts of a wanted length, never the same one twice, the same ones for the same seed."""

import random
from collections.abc import Callable

SHORTEST = 12
"""Characters; below it English runs out of sentences that differ."""

_NAMES = (
    *("Anna", "Ben", "Clara", "David", "Ella", "Frank", "Grace", "Henry", "Iris", "Jack", "Karen", "Leo"),
    *("Maria", "Nora", "Oscar", "Paul", "Rosa", "Sam", "Tina", "Victor", "Walter", "Yara", "Zoe", "Max"),
    *("my sister", "the doctor", "our neighbor", "the old baker", "a young pilot", "the teacher"),
)
_RESTS = (
    *("smiled", "waited", "laughed", "slept", "left early", "came back", "said nothing", "walked home"),
    *(
        "looked up",
        "sat down",
        "stayed inside",
        "worked all day",
        "ran away",
        "stood still",
        "agreed at once",
    ),
    *("arrived late", "sang quietly", "nodded", "kept going", "moved on", "fell asleep", "went ahead"),
)
_DOES = (
    *("found", "sold", "carried", "cleaned", "painted", "opened", "lost", "fixed", "bought", "moved", "hid"),
    *("watched", "described", "remembered", "borrowed", "measured", "noticed", "wanted", "saw", "kept"),
    *("dropped", "drew", "returned", "admired", "packed", "ordered", "washed", "counted", "followed"),
)
_THINGS = (
    *("letter", "bridge", "garden", "window", "ladder", "map", "kettle", "basket", "boat", "clock", "coat"),
    *(
        "drum",
        "engine",
        "fence",
        "guitar",
        "hammer",
        "island",
        "jar",
        "kitchen",
        "lamp",
        "mirror",
        "notebook",
    ),
    *("orange", "piano", "quilt", "radio", "saddle", "table", "umbrella", "violin", "wagon", "chair", "cup"),
    *("bell", "candle", "door", "egg", "flag", "gate", "hat", "key", "loaf", "market", "net", "pen", "rope"),
)
_LOOKS = (
    *("broken", "silver", "heavy", "small", "empty", "yellow", "quiet", "wooden", "warm", "narrow", "bright"),
    *("dusty", "ancient", "simple", "crooked", "gentle", "famous", "cold", "round", "green", "tall", "clean"),
)
_WHEN = (
    *("In the morning", "After lunch", "Last winter", "On a rainy day", "Before sunrise", "Late at night"),
    *("During the storm", "A week later", "Every summer", "Just then", "Without a word", "Around noon"),
)
_WHERE = (
    *(
        "near the river",
        "behind the school",
        "at the station",
        "under the stairs",
        "in the valley",
        "by the sea",
    ),
    *("across the street", "on the hill", "in an old barn", "beside the road", "outside the city", "at home"),
)
_JOINS = ("because", "while", "so", "but", "although", "and then", "until", "before")

_LONGEST_SENTENCE = 120
_TRIES = 32
"""Candidates for the sentence that must fit; enough to land within a character or two."""


class Texts:
    """A source of texts.

    Args:
        seed: equal seeds give equal texts in equal order of calls.
        same: repeat the first text of each length instead, to see what caching does.
    """

    def __init__(self, seed: int = 0, *, same: bool = False) -> None:
        self._random = random.Random(seed)
        self._seen: set[int] = set()
        self._first: dict[int, str] | None = {} if same else None

    def next(self, chars: int) -> str:
        """A text of about `chars` (at least `SHORTEST`) characters. It grows only where English runs out."""
        if self._first is None:
            return self._unseen(chars)
        return self._first.setdefault(chars, self._first.get(chars) or self._unseen(chars))

    def _unseen(self, chars: int) -> str:
        attempt = 0
        while hash(text := self._compose(chars + attempt // 4)) in self._seen:
            attempt += 1
        self._seen.add(hash(text))
        return text

    def _compose(self, chars: int) -> str:
        sentences: list[str] = []
        left = chars
        while left >= SHORTEST or not sentences:
            free = left > 2 * _LONGEST_SENTENCE
            sentence = self._sentence() if free else self._fitting(left)
            sentences.append(sentence)
            left -= len(sentence) + 1
        return " ".join(sentences)

    def _fitting(self, chars: int) -> str:
        return min((self._sentence(chars) for _ in range(_TRIES)), key=lambda s: abs(len(s) - chars))

    def _sentence(self, chars: int = _LONGEST_SENTENCE) -> str:
        shape = self._random.choice(_SHAPES if chars > 40 else _SHORT_SHAPES)
        sentence = shape(self)
        return f"{sentence[0].upper()}{sentence[1:]}."

    def _pick(self, words: tuple[str, ...]) -> str:
        return self._random.choice(words)

    def _rests(self) -> str:
        return f"{self._pick(_NAMES)} {self._pick(_RESTS)}"

    def _acts(self) -> str:
        return f"{self._pick(_NAMES)} {self._pick(_DOES)} the {self._pick(_THINGS)}"

    def _sees(self) -> str:
        return f"{self._pick(_NAMES)} {self._pick(_DOES)} the {self._pick(_LOOKS)} {self._pick(_THINGS)}"

    def _there(self) -> str:
        return f"{self._sees()} {self._pick(_WHERE)}"

    def _once(self) -> str:
        return f"{self._pick(_WHEN)}, {self._acts()}"

    def _joined(self) -> str:
        return f"{self._there()}, {self._pick(_JOINS)} {self._acts()}"


_SHORT_SHAPES: tuple[Callable[[Texts], str], ...] = (Texts._rests, Texts._acts, Texts._sees)
_SHAPES = (*_SHORT_SHAPES, Texts._there, Texts._once, Texts._joined)
