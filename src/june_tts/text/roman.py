"""Roman numerals where nothing else can be meant: `Chapter IV`, `Henry VIII`, `World War II`."""

from june_tts.text.rules import Rule, apply, rule
from june_tts.text.spelling import cardinal, ordinal

_PLACES = (
    "Chapter|Part|Section|Volume|Vol|Act|Scene|Book|Article|Appendix|Phase|Type|Level|Title|Class|Season|"
    "Episode|Super Bowl|Stage|Grade|Unit|Figure|Table|Type|Mark|Apollo|Rocky|War|Final Fantasy"
)
_RULERS = (
    "Henry|Louis|George|Edward|Elizabeth|Charles|James|William|Richard|Paul|Benedict|Napoleon|Catherine|Philip|"
    "Frederick|Alexander|Nicholas|Pius|Leo|Francis|Mary|Peter|Ivan|Ramesses|Ferdinand|Umberto|Wilhelm|Gregory|"
    "Innocent|Clement|John|Harald|Carl|Gustav|Thutmose|Darius|Ptolemy|Leopold|Juan Carlos|Felipe"
)
# a lone I is mostly the pronoun: it counts only before punctuation
_NUMERAL = r"(X{0,3}(?:IX|IV|V?I{2,3}|VI?|I{2,3})|X{1,3}|X{1,3}I|I(?=\s*(?:[.,;:)]|$)))"
_VALUES = {"I": 1, "V": 5, "X": 10}


def say_roman(text: str) -> str:
    return apply(_RULES, text)


def value(numeral: str) -> int:
    """`XIV` is 14; digits I, V and X only."""
    values = [_VALUES[digit] for digit in numeral]
    pairs = zip(values, [*values[1:], 0], strict=True)
    return sum(-here if here < following else here for here, following in pairs)


_RULES: tuple[Rule, ...] = (
    rule(rf"\b({_PLACES}) {_NUMERAL}\b(?!')", lambda m: f"{m[1]} {cardinal(str(value(m[2])))}", "IVX"),
    rule(
        rf"\b({_RULERS}) {_NUMERAL}\b(?!\.\s?[A-Z]\.)",
        lambda m: f"{m[1]} the {ordinal(str(value(m[2])))}",
        "IVX",
    ),
)
