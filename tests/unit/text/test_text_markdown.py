"""What is left of Markdown, HTML, emoji and odd characters."""

import pytest

from june_tts.errors import InvalidRequest
from june_tts.text import check_text, normalize

pytestmark = pytest.mark.unit

MARKDOWN = {
    "# Title\n\nText here": "Title.\nText here.",
    "## Title ##\nText": "Title.\nText.",
    "**bold** and *italic* and __strong__ and _soft_": "bold and italic and strong and soft.",
    "~~gone~~ `code` ``more``": "gone code more.",
    "a [link](https://x.com/a_(b)) here": "a link here.",
    "![a cat](cat.png)": "a cat.",
    "[![badge](a.svg)](b.com)": "badge.",
    "[text][1] and a note[^2]": "text and a note.",
    "[[Page|shown]] and [[Other]]": "shown and Other.",
    "- one\n- two\n\nafter": "one. two.\nafter.",
    "* one\n* two": "one. two.",
    "\u2022 one\n\u2022 two": "one. two.",
    "1. first\n2) second": "one, first. two, second.",
    "- [x] done\n- [ ] open": "done. open.",
    "> quoted\n> words": "quoted words.",
    "above\n\n---\n\nbelow": "above.\nbelow.",
    "| a | b |\n|---|:-:|\n| 1 | 2 |": "a, b. one, two.",
    "```python\nprint(x)\n```": "print x.",
    "```\nnever closed\nmore": "never closed more.",
    "two\nlines": "two lines.",
    "Roses are red\nViolets are blue": "Roses are red, Violets are blue.",
    "one\n\ntwo": "one.\ntwo.",
    "<b>bold</b> &amp; <br/>more": "bold and more.",
    "<!-- hidden -->shown": "shown.",
    "<https://example.com>": "example dot com.",
    "&lt;b&gt; stays": "b stays.",
    "5 * 3 * 2": "five times three times two.",
    r"\*not bold\*": "not bold.",
    "2 < 3 and 4 > 1": "two less than three and four greater than one.",
}
CHARACTERS = {
    "\u201cSmart\u201d \u2018quotes\u2019": "Smart quotes.",
    "it\u2019s fine": "it's fine.",
    "wait\u2026 what": "wait, what.",
    "Well... Then go.": "Well. Then go.",
    "yes \u2014 no": "yes, no.",
    "yes\u2014no": "yes, no.",
    "yes - no": "yes, no.",
    "(aside) here": "aside, here.",
    "here (aside), there": "here, aside, there.",
    "item(s)": "items.",
    "Great!!!": "Great!",
    "Really?!?!": "Really?",
    "a,,, b": "a, b.",
    "good \U0001f44d\U0001f3fd job \U0001f468\u200d\U0001f469\u200d\U0001f467": "good job.",
    "5\ufe0f\u20e3": "five.",
    "\u2764\ufe0f love": "love.",
    "\U0001f1e9\U0001f1ea flag": "flag.",
    "nul\x00l": "nul l.",
    "zero\u200bwidth": "zerowidth.",
    "\u202eright\u202c to left": "right to left.",
    "a\tb\xa0c\u3000d\r\ne": "a b c d e.",
    "soft\xadhyphen": "softhyphen.",
    "\U0001d401\U0001d428\U0001d425\U0001d41d": "Bold.",
    "\ufb01ne": "fine.",
    "e\u0301te": "\xe9te.",
    "[[raw phonemes]]": "raw phonemes.",
}


@pytest.mark.parametrize(("written", "spoken"), MARKDOWN.items())
def test_markup_leaves_its_words(written: str, spoken: str) -> None:
    assert normalize(written, "en-US") == spoken


@pytest.mark.parametrize(("written", "spoken"), CHARACTERS.items())
def test_odd_characters_are_unified_or_dropped(written: str, spoken: str) -> None:
    assert normalize(written, "en-US") == spoken


OTHERS = [
    ("de", "Ich habe 21 \xc4pfel.", "Ich habe einundzwanzig \xc4pfel."),
    ("de", "Am 3. M\xe4rz, 3,5 %", "Am 3. M\xe4rz, 3,5 %."),
    ("fr-FR", "J'ai **80** euros", "J'ai quatre-vingts euros."),
    ("es", "\xbfTienes 2 gatos?", "Tienes dos gatos?"),
    ("ja", "\u4eca\u65e5\u306f5\u6708", "\u4eca\u65e5\u306f5\u6708\u3002"),
    ("zh", "\u4f60\u597d\u2026\u2026", "\u4f60\u597d\u3002"),
    ("nb", "Jeg har 5 epler", "Jeg har fem epler."),
    ("ko", "\uc548\ub155", "\uc548\ub155."),
    ("xx", "5 things at https://example.com", "5 things at example.com."),
    (
        "fa",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645.",
    ),
]


@pytest.mark.parametrize(("language", "written", "spoken"), OTHERS)
def test_other_languages_keep_what_their_phonemiser_reads(language: str, written: str, spoken: str) -> None:
    assert normalize(written, language) == spoken


def test_an_unpaired_surrogate_is_refused_with_its_position() -> None:
    with pytest.raises(InvalidRequest, match="U\\+D83D at character 3") as refused:
        check_text("abc\ud83d")
    assert refused.value.param == "text"


def test_text_with_every_other_character_is_accepted() -> None:
    check_text("abc \x00 \U0001f600 \u202e")
