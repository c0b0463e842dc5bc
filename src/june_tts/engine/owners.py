"""Which word each phoneme of a sentence belongs to.

A phonemiser leaves a space between most words. espeak-ng joins some that are spoken as one ("of the"), and
says others in several. Then each word is phonemised by itself, and the sentence is compared with that.
"""

from collections.abc import Callable, Sequence
from difflib import SequenceMatcher

NOBODY = -1
"""Of spaces and punctuation."""
_MARKS = frozenset("ˈˌ")
"""Of stress: they stand before a vowel, and differ between a word alone and one in a sentence."""

Alone = Callable[[str], Sequence[str]]


def owners(phonemes: Sequence[str], words: Sequence[str], alone: Alone) -> list[int]:
    """For each phoneme the index of its word, or NOBODY; never less than that of the one before it.

    Args:
        phonemes: of a whole piece, with spaces and punctuation.
        words: of that piece, in order.
        alone: the phonemes of one word by itself; asked only where spaces do not tell.
    """
    groups = _groups(phonemes)
    if len(groups) == len(words):
        found = [NOBODY] * len(phonemes)
        for index, group in enumerate(groups):
            for at in group:
                found[at] = index
        return found
    return _compared(phonemes, groups, words, alone)


def _groups(phonemes: Sequence[str]) -> list[list[int]]:
    """Places of the phonemes between two spaces."""
    groups: list[list[int]] = [[]]
    for at, phoneme in enumerate(phonemes):
        if phoneme.isspace():
            groups.append([])
        elif _sounds(phoneme) or phoneme in _MARKS:
            groups[-1].append(at)
    return [group for group in groups if any(phonemes[at] not in _MARKS for at in group)]


def _sounds(phoneme: str) -> bool:
    return any(char.isalnum() for char in phoneme) and phoneme not in _MARKS


def _compared(
    phonemes: Sequence[str], groups: list[list[int]], words: Sequence[str], alone: Alone
) -> list[int]:
    places = [at for at, phoneme in enumerate(phonemes) if _sounds(phoneme)]
    expected = [(phoneme, index) for index, word in enumerate(words) for phoneme in alone(word)]
    expected = [(phoneme, index) for phoneme, index in expected if _sounds(phoneme)]
    matcher = SequenceMatcher(
        None, [phoneme for phoneme, _ in expected], [phonemes[at] for at in places], autojunk=False
    )
    found = [NOBODY] * len(phonemes)
    for theirs, ours, size in matcher.get_matching_blocks():
        for step in range(size):
            found[places[ours + step]] = expected[theirs + step][1]
    _claim(found, places, len(words))
    last = 0
    for group in groups:
        last = _fill(found, group, last)
    return found


def _claim(found: list[int], places: list[int], words: int) -> None:
    """Words that nothing was found for ("a" alone is "eɪ", in "in a" it is "ɐ") share what lies between."""
    before, unclaimed = NOBODY, list[int]()
    for at in [*places, None]:
        owner = words if at is None else found[at]
        if at is not None and owner == NOBODY:
            unclaimed.append(at)
            continue
        missing = range(before + 1, owner)
        for number, free in enumerate(unclaimed if missing else ()):
            found[free] = missing[number * len(missing) // len(unclaimed)]
        before, unclaimed = owner, []


def _fill(found: list[int], group: list[int], last: int) -> int:
    """What matches nothing belongs to the word before it; where its group begins, to the one after."""
    known = next((found[at] for at in group if found[at] != NOBODY), last)
    for at in group:
        known = found[at] = max(known, found[at])
    return known
