"""Labels of calls: pairs of texts that their senders choose."""

import json
import re
from collections.abc import Iterable
from decimal import Decimal

from aggregates.domain.pairs import pairs_of
from aggregates.domain.texts import normal_form, size_of

MAX_LABELS = 16
MAX_NAME, MAX_VALUE = 64, 256  # bytes, as UTF-8
MAX_ATTRIBUTE = 64  # bytes of the name of an attribute that is kept as a label
MAX_TEXT = 40_000  # characters of labels as JSON text
EXPECTED = 'an object of texts by name, as {"team": "search"}'
# Attributes that hold what was asked and answered: nothing of that is ever stored.
CONTENTS = re.compile(
    r"(^|[._])(prompts?|completions?|messages?|contents?|instructions|texts?|input\.value|output\.value"
    r"|entity\.(input|output)|arguments|documents?|body)(\.|$)|^(input|output)$",
    re.IGNORECASE,
)
Labels = tuple[tuple[str, str], ...]  # by name


def check_labels(value: object) -> Labels:
    """The labels of an object of texts by name, which may be written as JSON text; those of "" are left out."""
    pairs = {
        _text(name, MAX_NAME, "name"): _text(text, MAX_VALUE, f"“{name}”")
        for name, text in pairs_of(value, MAX_TEXT, EXPECTED)
    }
    found = tuple(sorted((name, text) for name, text in pairs.items() if text))
    if len(found) > MAX_LABELS:
        raise ValueError(f"expected at most {MAX_LABELS} labels, got {len(found):,}")
    if any(not name for name, _ in found):
        raise ValueError("expected a name of each label")
    return found


def fitting_labels(pairs: Iterable[tuple[object, object]]) -> tuple[Labels, list[str]]:
    """The first labels of these pairs that there is room for, long texts cut off, and what became of the others."""
    found: dict[str, str] = {}
    problems: list[str] = []
    for name, value in pairs:
        if not isinstance(value, (str, int, Decimal, float)):
            continue  # an object or a list is no label
        name, text = str(name).strip().replace("\0", ""), _written(value).replace("\0", "")
        if not name or not text or name in found:
            continue
        if len(found) == MAX_LABELS:
            problems.append(f"left out: expected at most {MAX_LABELS} labels")
            break
        fits = _cut(name, MAX_NAME), _cut(text, MAX_VALUE)
        if fits != (name, text):
            problems.append(f"cut: expected at most {MAX_NAME} bytes of a label's name and {MAX_VALUE} of its text")
        found.setdefault(*fits)
    return tuple(sorted(found.items())), list(dict.fromkeys(problems))


def _text(value: object, most: int, what: str) -> str:
    if not isinstance(value, (str, int, Decimal, float)) or value != value:  # NaN stands for what is no number
        raise ValueError(f"{what[:MAX_NAME]}: expected text")
    text = _written(value)
    try:
        size = size_of(text)
    except UnicodeEncodeError:
        raise ValueError(f"{what[:MAX_NAME]!a}: expected text in UTF-8") from None
    if size > most or "\0" in text:
        raise ValueError(f"{what[:MAX_NAME]}: expected at most {most} bytes of text without NUL characters")
    return text


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).strip()


def _cut(text: str, most: int) -> str:
    encoded = normal_form(text).encode(errors="replace")
    return encoded[:most].decode(errors="ignore").strip()


def as_json(labels: Labels) -> str | None:
    """Write the labels as the log keeps them; None for none."""
    return json.dumps(dict(labels), ensure_ascii=False) if labels else None


def check_attributes(names: object) -> list[str]:
    """The names of attributes that are kept as labels, each once; raises ValueError."""
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError('expected a list of names, as ["deployment.environment.name"]')
    found = list(dict.fromkeys(name.strip() for name in names if name.strip()))
    if len(found) > MAX_LABELS:
        raise ValueError(f"expected at most {MAX_LABELS} names, got {len(found):,}")
    if any(len(name.encode(errors="replace")) > MAX_ATTRIBUTE or "\0" in name for name in found):
        raise ValueError(f"expected names of at most {MAX_ATTRIBUTE} bytes without NUL characters")
    if contents := [name for name in found if CONTENTS.search(name)]:
        raise ValueError(f"{contents[0]} is what was asked or answered, which is not kept")
    return found
