"""What each class of English notation is read as."""

import pytest

from june_tts.text import normalize

pytestmark = pytest.mark.unit

NUMBERS = {
    "9/10": "nine out of ten.",
    "50/50": "fifty fifty.",
    "1000s of users": "thousands of users.",
    "6.02e23": "six point zero two times ten to the power of twenty-three.",
    "Boeing 747-400": "Boeing seven hundred forty-seven four hundred.",
    "won 3-2": "won three to two.",
    "5": "five.",
    "5 apples": "five apples.",
    "-3 degrees": "minus three degrees.",
    "1,234": "one thousand two hundred thirty-four.",
    "1,234,567": "one million two hundred thirty-four thousand five hundred sixty-seven.",
    "3.14": "three point one four.",
    "0.05": "zero point zero five.",
    ".5": "zero point five.",
    "1,2,3": "one, two, three.",
    "the 1st, 2nd and 3rd": "the first, second and third.",
    "the 21st and 103rd": "the twenty-first and one hundred third.",
    "pages 10-20": "pages ten to twenty.",
    "pages 10\u201320": "pages ten to twenty.",
    "1/2 cup": "one half cup.",
    "3/4 cup": "three quarters cup.",
    "2/3": "two thirds.",
    "1 1/2 miles": "one and a half miles.",
    "1\xbd miles": "one and a half miles.",
    "24/7": "twenty-four seven.",
    "a 24-hour day": "a twenty-four-hour day.",
    "a score of 3:1": "a score of three to one.",
    "12345678901234567890": "one two three four five six seven eight nine zero "
    "one two three four five six seven eight nine zero.",
    "007": "zero zero seven.",
    "\uff15\uff10": "fifty.",
    "\u0663 apples": "three apples.",
    "3 + 4 = 7": "three plus four equals seven.",
    "5 - 3": "five minus three.",
    "5 * 3": "five times three.",
    "1920x1080": "nineteen twenty by one thousand eighty.",
    "x^2": "x to the power of two.",
    "1.5M users": "one point five million users.",
}
NAMES_WITH_NUMBERS = {
    "9/10": "nine out of ten.",
    "50/50": "fifty fifty.",
    "1000s of users": "thousands of users.",
    "6.02e23": "six point zero two times ten to the power of twenty-three.",
    "Boeing 747-400": "Boeing seven hundred forty-seven four hundred.",
    "won 3-2": "won three to two.",
    "Chapter IV": "Chapter four.",
    "Henry VIII": "Henry the eighth.",
    "Louis XIV reigned": "Louis the fourteenth reigned.",
    "World War II": "World War two.",
    "Part I": "Part one.",
    "In part I think so": "In part I think so.",
    "MP3": "MP three.",
    "GPT-4o": "GPT four o.",
    "H2O": "H two O.",
    "COVID-19": "COVID-nineteen.",
    "5G": "five G.",
    "v2.1.3": "version two point one point three.",
    "version 3.11": "version three point eleven.",
    "release 2.1.3": "release two point one point three.",
    "192.168.1.1": "one nine two dot one six eight dot one dot one.",
    "#1": "number one.",
    "No. 5": "number five.",
}
PHONES = {
    "555.123.4567 ext. 89": "five five five, one two three, four five six seven extension eighty-nine.",
    "555-123-4567": "five five five, one two three, four five six seven.",
    "(555) 123-4567": "five five five, one two three, four five six seven.",
    "+1 (555) 123-4567": "plus one, five five five, one two three, four five six seven.",
    "+44 20 7946 0958": "plus four four, two zero, seven nine four six, zero nine five eight.",
    "555-1234": "five five five, one two three four.",
    "123-45-6789": "one two three, four five, six seven eight nine.",
    "4111 1111 1111 1111": "four one one one, one one one one, one one one one, one one one one.",
    "dial 911": "dial nine one one.",
    "The code is 4471": "The code is four four seven one.",
    "12345678": "one two three four five six seven eight.",
}
DATES = {
    "Mon-Fri": "Monday to Friday.",
    "Sat. 10-2": "Saturday ten to two.",
    "in 1999": "in nineteen ninety-nine.",
    "since 2005": "since two thousand five.",
    "2024 was good": "twenty twenty-four was good.",
    "1440 minutes": "one thousand four hundred forty minutes.",
    "1999-2003": "nineteen ninety-nine to two thousand three.",
    "the 1990s": "the nineteen nineties.",
    "the '90s": "the nineties.",
    "2024-03-05": "March fifth, twenty twenty-four.",
    "2024-03-05T14:30:00Z": "March fifth, twenty twenty-four at fourteen thirty.",
    "3/5/2024": "March fifth, twenty twenty-four.",
    "31/12/2024": "December thirty-first, twenty twenty-four.",
    "March 5, 2024": "March fifth, twenty twenty-four.",
    "March 5th": "March fifth.",
    "on 5 March": "on the fifth of March.",
    "the 5th of March 2024": "the fifth of March twenty twenty-four.",
    "Sept. 3": "September third.",
    "Mon., March 4": "Monday, March fourth.",
    "March 2024": "March twenty twenty-four.",
    "July 4-6": "July fourth to sixth.",
}
TIMES = {
    "10:30 p.m. EST.": "ten thirty PM EST.",
    "20m 30s": "twenty minutes thirty seconds.",
    "2h 5m": "two hours five minutes.",
    "3:30 pm": "three thirty PM.",
    "3:30 p.m. today": "three thirty PM today.",
    "15:45": "fifteen forty-five.",
    "9am": "nine AM.",
    "9:05": "nine oh five.",
    "9:00": "nine o'clock.",
    "9:00 a.m.": "nine AM.",
    "17:00": "seventeen hundred hours.",
    "00:00": "midnight.",
    "9-5pm": "nine to five PM.",
    "9:00-17:00": "nine o'clock to seventeen hundred hours.",
    "1:02:03": "one hour two minutes three seconds.",
    "We met at 5 p.m. The rain fell.": "We met at five PM. The rain fell.",
}
MONEY = {
    "$5": "five dollars.",
    "$1": "one dollar.",
    "$3.50": "three dollars and fifty cents.",
    "$0.99": "ninety-nine cents.",
    "$1,299.99": "one thousand two hundred ninety-nine dollars and ninety-nine cents.",
    "\xa35": "five pounds.",
    "\xa30.50": "fifty pence.",
    "\u20ac1.2 million": "one point two million euros.",
    "\xa5500": "five hundred yen.",
    "$5M": "five million dollars.",
    "$10-20": "ten to twenty dollars.",
    "$10-$20": "ten to twenty dollars.",
    "-$5": "minus five dollars.",
    "5\u20ac": "five euros.",
    "20 EUR": "twenty euros.",
    "USD 5": "five US dollars.",
    "50\xa2": "fifty cents.",
    "$5/month": "five dollars per month.",
    "$": "dollar.",
}
UNITS = {
    "1/2 tsp. of salt": "one half teaspoon of salt.",
    "2 1/2 km": "two and a half kilometers.",
    "5 ft 10 in": "five feet ten inches.",
    "2 tbsp of oil": "two tablespoons of oil.",
    "50%": "fifty percent.",
    "5-10%": "five to ten percent.",
    "5 km": "five kilometers.",
    "1 km": "one kilometer.",
    "10kg": "ten kilograms.",
    "20\xb0C": "twenty degrees Celsius.",
    "-5 \xb0F": "minus five degrees Fahrenheit.",
    "60 mph": "sixty miles per hour.",
    "3 GB": "three gigabytes.",
    "100 m\xb2": "one hundred square meters.",
    "a 5-km run": "a five kilometer run.",
    "5'10\"": "five foot ten.",
    "3-4 hrs": "three to four hours.",
    "2.4 GHz": "two point four gigahertz.",
    "6 ft. tall": "six feet tall.",
    "5 in the morning": "five in the morning.",
}
ABBREVIATIONS = {
    "Dr. Smith": "Doctor Smith.",
    "Mr. and Mrs. Lee": "Mister and Missus Lee.",
    "5 Elm Dr. He left.": "five Elm Drive. He left.",
    "Main St. is near St. Paul": "Main Street is near Saint Paul.",
    "42 Main St., Boston": "forty-two Main Street, Boston.",
    "e.g. this": "for example, this.",
    "i.e., that": "that is, that.",
    "tea, coffee, etc.": "tea, coffee, et cetera.",
    "cats vs. dogs": "cats versus dogs.",
    "approx. 10": "approximately ten.",
    "Acme Inc. won": "Acme Incorporated won.",
    "Foo Ltd.": "Foo Limited.",
    "John Davis Jr. won": "John Davis Junior won.",
    "the U.S. Army": "the US Army.",
    "He left the U.S. The end.": "He left the US. The end.",
    "J. K. Rowling": "J K Rowling.",
    "J.R.R. Tolkien": "JRR Tolkien.",
    "vitamin C. The end": "vitamin C. The end.",
    "p. 5": "page five.",
    "w/o sugar": "without sugar.",
    "Capt. Jones and Lt. Davis": "Captain Jones and Lieutenant Davis.",
}
LINKS = {
    "https://example.com/docs": "example dot com slash docs.",
    "Visit www.test.org.": "Visit test dot org.",
    "see example.com, please": "see example dot com, please.",
    "john.doe@example.com": "john dot doe at example dot com.",
    "@jane_doe": "at jane doe.",
    "#MachineLearning": "hashtag Machine Learning.",
    "main.py": "main dot py.",
    "/usr/local/bin": "usr slash local slash bin.",
    "Stop.Then go": "Stop. Then go.",
}
SIGNS = {
    "Hello , world !Nice": "Hello, world! Nice.",
    'Who said "a dream..."?': "Who said a dream?",
    "&": "and.",
    "%": "percent.",
    "Tom & Jerry": "Tom and Jerry.",
    "C++ and C#": "C plus plus and C sharp.",
    "he/she": "he she.",
    "~5 people": "about five people.",
    "snake_case_name": "snake case name.",
    "3 < 5": "three less than five.",
    "x \u2192 y": "x to y.",
    "Hello :-) there": "Hello there.",
}
ALL = [
    (written, spoken)
    for table in (
        NUMBERS, NAMES_WITH_NUMBERS, PHONES, DATES, TIMES, MONEY, UNITS, ABBREVIATIONS, LINKS, SIGNS,
    )
    for written, spoken in table.items()
]  # fmt: skip


@pytest.mark.parametrize(("written", "spoken"), ALL)
def test_english_is_read_as_a_person_would_say_it(written: str, spoken: str) -> None:
    assert normalize(written, "en-US") == spoken


def test_britain_reads_the_day_first() -> None:
    assert normalize("3/5/2024", "en-GB") == "the third of May, twenty twenty-four."
    assert normalize("2024-03-05", "en-GB") == "the fifth of March, twenty twenty-four."


def test_no_digit_is_left_in_english() -> None:
    text = normalize("1a2b 3-4-5 6:7:8 9.9.9.9.9.9 10/11/12/13 $1.2.3 1,2 3,45 v1 2nd1 \xb2 5th4", "en")
    assert not any(char in "0123456789" for char in text), text
