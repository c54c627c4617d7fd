"""What calls are billed by besides plain tokens: a declared list of units, and how much of each a call used."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from aggregates.domain.numbers import read_decimal
from aggregates.domain.pairs import pairs_of

MAX_TEXT = 4_000  # characters of units as JSON text
EXPECTED = 'an object of quantities by unit, as {"web_searches": 2}'
MAX_TOKENS = 1_000_000_000  # also of characters
MAX_QUANTITY = 1_000_000  # of anything else
PLACES = 6  # decimals of times: with six of a price, a cost is exact to its twelfth
FINEST = Decimal(1).scaleb(-PLACES)
MILLION = 1_000_000
Units = tuple[tuple[str, Decimal], ...]  # a unit's name with a quantity above 0, in the order of UNITS


@dataclass(frozen=True, slots=True)
class Unit:
    """Something that has a price of its own.

    Of tokens, `within` is the call's count that they are a part of, and `cached` the unit that is a part of them; they
    are paid for at their own rate, and no more at that of the count; those that are `is_as_whole`, without one, as the
    others. A price is for so many as `per`.
    """

    name: str
    words: str
    per: int = 1
    within: str = ""
    cached: str = ""
    is_whole: bool = True
    is_as_whole: bool = False

    @property
    def most(self) -> int:
        return MAX_TOKENS if self.per == MILLION else MAX_QUANTITY


def _tokens(name: str, words: str, within: str, cached: str = "", *, is_as_whole: bool = False) -> Unit:
    return Unit(name, words, MILLION, within, cached, is_as_whole=is_as_whole)


OTHER = "other"
UNITS = (
    _tokens("input_audio_tokens", "audio tokens of the input", "input_tokens", "cached_audio_tokens"),
    _tokens("cached_audio_tokens", "audio tokens read from a cache", "cached_tokens"),
    _tokens("output_audio_tokens", "audio tokens of the output", "output_tokens"),
    _tokens("input_image_tokens", "image tokens of the input", "input_tokens", "cached_image_tokens", is_as_whole=True),
    _tokens("cached_image_tokens", "image tokens read from a cache", "cached_tokens", is_as_whole=True),
    _tokens("output_image_tokens", "image tokens of the output", "output_tokens"),
    _tokens("input_video_tokens", "video tokens of the input", "input_tokens", "cached_video_tokens", is_as_whole=True),
    _tokens("cached_video_tokens", "video tokens read from a cache", "cached_tokens", is_as_whole=True),
    _tokens("output_video_tokens", "video tokens of the output", "output_tokens"),
    Unit("input_characters", "characters of the input", MILLION),
    Unit("web_searches", "web searches"),
    Unit("file_searches", "searches of stored files"),
    Unit("social_searches", "searches of social media"),
    Unit("rerank_searches", "searches that were ranked"),
    Unit("code_executions", "code executions"),
    Unit("code_sessions", "sessions of code execution"),
    Unit("code_execution_hours", "hours of code execution", is_whole=False),
    Unit("images", "images that were made"),
    Unit("input_audio_seconds", "seconds of audio in the input", is_whole=False),
    Unit("output_audio_seconds", "seconds of audio in the output", is_whole=False),
    Unit("output_video_seconds", "seconds of video in the output", is_whole=False),
    Unit("pages", "pages of documents"),
    Unit("annotated_pages", "annotated pages of documents"),
    # What a client says was billed besides tokens and that is none of the above: it has no price, nor has its call.
    Unit(OTHER, "something else that is billed besides tokens"),
)
BY_NAME: Mapping[str, Unit] = {unit.name: unit for unit in UNITS}


def check_units(value: object) -> Units:
    """The units of an object of quantities by name, which may be written as JSON text; those of 0 are left out."""
    quantities = {name: _quantity(name, number) for name, number in pairs_of(value, MAX_TEXT, EXPECTED)}
    return tuple((name, quantities[name]) for name in BY_NAME if quantities.get(name)) if quantities else ()


def _quantity(name: object, value: object) -> Decimal:
    unit = BY_NAME.get(name) if isinstance(name, str) else None
    if unit is None:
        raise ValueError(f"there is no unit “{str(name)[:64]}”: expected some of {', '.join(BY_NAME)}")
    try:
        number = Decimal("NaN") if isinstance(value, bool) else read_decimal(value)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or not 0 <= number <= unit.most:
        raise ValueError(f"{unit.name}: expected a number from 0 to {unit.most:,}")
    fine = number.quantize(Decimal(1) if unit.is_whole else FINEST)
    if fine != number:
        decimals = "a whole number" if unit.is_whole else f"a number with at most {PLACES} decimals"
        raise ValueError(f"{unit.name}: expected {decimals}")
    return fine.normalize() if fine else Decimal(0)


def check_within(units: Units, counts: Mapping[str, int]) -> None:
    """Raise ValueError where tokens of units are more than the count that they are a part of."""
    quantities = dict(units)
    for whole in ("input_tokens", "cached_tokens", "output_tokens"):
        parts = [unit.name for unit in UNITS if unit.within == whole and unit.name in quantities]
        if sum(quantities[name] for name in parts) > counts[whole]:
            raise ValueError(f"expected {' + '.join(parts)} to be within {whole}")
    for unit in UNITS:
        if unit.cached and quantities.get(unit.cached, 0) > quantities.get(unit.name, 0):
            raise ValueError(f"expected {unit.cached} to be within {unit.name}")


def as_json(units: Units) -> str | None:
    """Write the units as the log keeps them; None for none."""
    return "{" + ", ".join(f'"{name}": {quantity:f}' for name, quantity in units) + "}" if units else None
