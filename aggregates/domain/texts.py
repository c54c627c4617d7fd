"""Recorded texts as people read them: none changes what stands beside it, and none is mistaken for a word of ours.

Files for programs, the API and addresses hold texts exactly as they were recorded; pages, charts, sentences and images
show them by `shown` and `named`, which give different words for different texts.
"""

import re
from enum import StrEnum
from functools import lru_cache
from unicodedata import bidirectional, category, is_normalized, normalize

OTHER, NOT_SET = "Other", "(not set)"
FSI, PDI = "\u2068", "\u2069"  # what is between them has a direction of its own
SPELLED = ".spelled"  # behind the name of a parameter: its text is as `visible` writes it
BEGIN = "⟨U+"  # of a character that is spelled out
LONGEST_SOUGHT = 256  # characters
ONE = re.compile("⟨U\\+([0-9A-F]{4,6})⟩")
IN_LEGEND = 48  # characters of a name in a legend: some names have hundreds, and a chart has many names
MOST_MARKS = 3  # accents and vowels on one letter: more reach into the lines above and below
# Blank characters of classes that can be seen: fillers, joiners, selectors of variants, the empty pattern of Braille.
BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
JAMO = re.compile("[\u1160-\u11ff]")  # vowels and ends, which a syllable of Hangul is put together of
UNEVEN = re.compile("^ | $|  ")  # blanks that a page does not show
FROM_RIGHT = {"R", "AL", "AN"}
PLAIN = re.compile(r"[\w./:@+~-]+")  # a word in a sentence, where nothing else could be meant
# What pages, charts and files say themselves where names may stand, too.
OURS = frozenset(
    (
        OTHER.casefold(),
        NOT_SET,
        "others",
        "all others",
        "total",
        "before",
        "year before",
        "now",
        "no price",
        "not known",
    )
)


class GroupKind(StrEnum):
    """What a group of a breakdown is: a recorded value, calls without one, or all other groups together."""

    VALUE = "value"
    NOT_SET = "not_set"
    OTHER = "other"


def kind_of(key: str | None) -> GroupKind:
    return GroupKind.OTHER if key is None else GroupKind.VALUE if key else GroupKind.NOT_SET


def normal_form(text: str) -> str:
    """Give the one form (NFC) of a text that can be written in several, such as ë: in it calls are recorded."""
    return text if text.isascii() else normalize("NFC", text)


def size_of(text: str) -> int:
    """Count the bytes of a text as UTF-8, as it is or in its normal form, whichever are more; raises
    UnicodeEncodeError."""
    return len(text) if text.isascii() else max(len(text.encode()), len(normal_form(text).encode()))


def named(key: str | None) -> str:
    """Name a group of a breakdown: a value as it is shown, else by what stands for an unknown one or for all others."""
    return OTHER if key is None else shown(key) if key else NOT_SET


def words_of(key: str | None) -> str:
    """Give the exact text of a group, or our words; files tell them apart by `kind_of`."""
    return OTHER if key is None else key or NOT_SET


def shown(text: str) -> str:
    """Write a recorded text for people, in plain text."""
    return isolated(set_apart(visible(text)))


def set_apart(text: str) -> str:
    """Put a text in quotation marks that, but for such marks, is a word of ours."""
    return f"“{text}”" if text.strip("“”").casefold() in OURS else text


def isolated(text: str) -> str:
    """Keep the order of what stands beside a text with letters that run from the right."""
    if text.isascii() or FROM_RIGHT.isdisjoint(map(bidirectional, text)):
        return text
    return f"{FSI}{text}{PDI}"


def visible(text: str) -> str:
    """Spell out characters that cannot be seen, or told from others: as in “alice⟨U+200B⟩”; `read_typed` reads that."""
    is_plain = text.isascii() and text.isprintable() and not UNEVEN.search(text)
    return text if is_plain else _spelled(text)


@lru_cache(maxsize=10_000)
def _spelled(text: str) -> str:
    is_normal, pieces, marks, before = is_normalized("NFC", text), list[str](), 0, " "
    for place, character in enumerate(text):
        is_mark = category(character).startswith("M")
        marks = marks + 1 if is_mark else 0
        is_hidden = (
            _is_blank(character, before, is_last=place == len(text) - 1)
            or (is_mark and (place == 0 or marks > MOST_MARKS))  # it would stand on what is before, or reach far
            or (not is_normal and (is_mark or bool(JAMO.match(character)) or normal_form(character) != character))
            or text.startswith(BEGIN, place)
        )
        pieces.append(f"{BEGIN}{ord(character):04X}⟩" if is_hidden else character)
        before = character
    return "".join(pieces)


def _is_blank(character: str, before: str, *, is_last: bool) -> bool:
    if character == " ":
        return is_last or before == " "
    return not character.isprintable() or bool(BLANK.match(character))


def read_typed(text: str) -> str:
    """Give the recorded text that a person means: without blanks around it, in its normal form, and with what is
    spelled out as what it is."""
    return ONE.sub(_character, normal_form(text.strip()))


def read_sought(text: str) -> str:
    """Give the text that a person looks for, as `read_typed` does, and as much of it as is looked for."""
    return read_typed(text).replace("\0", "")[:LONGEST_SOUGHT].strip()


def _character(spelled: re.Match[str]) -> str:
    number = int(spelled[1], 16)
    is_one = number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF
    return chr(number) if is_one else spelled[0]


def cut(text: str, longest: int) -> str:
    """Shorten what `shown` gave in its middle, where it is longer: beginnings are often alike."""
    inner = text.removeprefix(FSI).removesuffix(PDI)
    if len(inner) <= longest:
        return text
    end = longest // 3
    return isolated(f"{inner[: longest - 1 - end]}…{inner[-end:]}")


def in_sentence(text: str, longest: int = 60) -> str:
    """Write a recorded text within a sentence: shortened, and in quotation marks unless it is a plain word."""
    words = cut(visible(text), longest)
    is_word = PLAIN.fullmatch(words) and words.casefold() not in OURS
    return isolated(words if is_word else f"“{words}”")
