"""The cost bridge in words: what each step means, and the sentence that says the most important of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from aggregates.domain import formats, money, texts
from aggregates.domain.money import EXACT
from aggregates.web.cost_bridge import CHAIN, LENGTH, STEPS, Bridge

MOST = 2  # reasons that the sentence names
LEAST = Decimal("0.1")  # of the largest reason: a smaller one is not worth a word


@dataclass(frozen=True, slots=True)
class Words:
    """A step's name and meaning; and as a reason, where costs rise and where they fall, with where it happens."""

    label: str
    meaning: str
    up: str
    down: str
    place: str = " in {}"


WORDS = {
    "length": Words("Length", "more or fewer days, each as before", "more days", "fewer days"),
    "volume": Words(
        "Volume", "more or fewer calls, at the cost per call of before", "more calls", "fewer calls", " of {}"
    ),
    "mix": Words(
        "Model mix",
        "other models within an operation, at their cost per call",
        "a dearer model mix",
        "a cheaper model mix",
    ),
    "tokens": Words(
        "Tokens per call", "longer or shorter input and output", "more tokens per call", "fewer tokens per call"
    ),
    "cache": Words(
        "Caching", "another share of the input from a cache, or written to one", "less caching", "more caching"
    ),
    "price": Words("Price per token", "what the same tokens cost", "higher prices", "lower prices"),
    "new": Words("New operations", "without any call before", "new operations", "", " ({})"),
    "gone": Words("Gone operations", "without any call now", "", "operations that are gone", " ({})"),
    "priced": Words(
        "Prices known",
        "models whose calls had no price in one of the ranges",
        "prices known only now",
        "prices no longer known",
    ),
    "charges": Words(
        "Charges", "credits, refunds, seats and fees, beside the calls", "more charges", "credits or fewer charges"
    ),
}


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    label: str
    meaning: str
    amount: Decimal
    largest: tuple[tuple[str, Decimal], ...]  # the operations that it comes from most
    text: str  # with the decimals of all steps


def steps_of(bridge: Bridge) -> tuple[Step, ...]:
    """List the steps of the chain always; the others where they are not 0, and the length by the day."""
    totals, write = bridge.totals, _writer(bridge)
    return tuple(
        Step(
            name,
            WORDS[name].label,
            WORDS[name].meaning,
            totals[name],
            _largest(bridge, name),
            signed(totals[name], write),
        )
        for name in STEPS
        if totals[name] or name in CHAIN or (name == LENGTH and bridge.lengths.is_per_day)
    )


def ends_of(bridge: Bridge) -> tuple[str, str]:
    """Write what the steps lead from, and to; in words where no call has a price."""
    write, ends = _writer(bridge), (bridge.before, bridge.now)
    before, now = (formats.NO_PRICE if formats.has_no_price(sums) else write(sums.cost) for sums in ends)
    return before, now


def _writer(bridge: Bridge) -> Callable[[Decimal], str]:
    return money.alike([bridge.before.cost, bridge.now.cost, *bridge.totals.values()])


def _largest(bridge: Bridge, step: str) -> tuple[tuple[str, Decimal], ...]:
    amounts = [(operation, steps[step]) for operation, steps in bridge.steps.items() if steps[step]]
    return tuple(sorted(amounts, key=lambda each: (-abs(each[1]), each[0]))[:3])


def summarize(bridge: Bridge, has_percentage: bool = True) -> str:
    """Sum up: “Cost rose by $9.45 (12.3%) to $86.10: mostly more calls of chat (+$8.20); more caching saved $1.00.”
    By the day, all amounts are those of a day, and the length of the ranges is no reason."""
    difference, a_day = bridge.difference_beside_length, bridge.lengths.of_now
    cost = "Cost a day" if bridge.lengths.is_per_day else "Cost"
    if not difference:
        sentence = f"{cost} stayed at {money.display(a_day(bridge.now.cost))}"
        is_same = not any(amount for step, amount in bridge.totals.items() if step != LENGTH)
        return f"{sentence}." if is_same else f"{sentence}: what changed made up for each other."
    rose, size = difference > 0, difference.copy_abs()
    before = EXACT.subtract(bridge.now.cost, difference)
    share = f" ({formats.percent(size, before)})" if has_percentage and before > 0 else ""
    amounts = f"by {money.display(a_day(size))}{share} to {money.display(a_day(bridge.now.cost))}"
    reasons, against = " and ".join(_reasons(bridge, rose)), _against(bridge, rose)
    return f"{cost} {'rose' if rose else 'fell'} {amounts}: mostly {reasons}{f'; {against}' if against else ''}."


def _reasons(bridge: Bridge, rose: bool) -> Iterator[str]:
    """Name the largest amounts of one step in one operation that go the way of the whole."""
    amounts = [
        (amount, step, operation)
        for operation, steps in bridge.steps.items()
        for step, amount in steps.items()
        if (amount > 0) == rose and amount and step != LENGTH
    ]
    amounts.sort(key=lambda each: (-abs(each[0]), STEPS.index(each[1]), each[2]))
    for amount, step, operation in amounts[:MOST]:
        if amount.copy_abs() >= EXACT.multiply(amounts[0][0].copy_abs(), LEAST):
            words = WORDS[step]
            place = words.place.format(texts.in_sentence(operation)) if operation else ""
            yield f"{words.up if rose else words.down}{place} ({signed(bridge.lengths.of_now(amount))})"


def _against(bridge: Bridge, rose: bool) -> str:
    """Name the largest step, over all operations, that goes the other way."""
    steps = bridge.totals.items()
    against = [(amount, step) for step, amount in steps if (amount < 0) == rose and amount and step != LENGTH]
    if not against:
        return ""
    amount, step = max(against, key=lambda each: (abs(each[0]), -STEPS.index(each[1])))
    words, size = WORDS[step], bridge.lengths.of_now(amount.copy_abs())
    return f"{words.down if rose else words.up} {'saved' if rose else 'added'} {money.display(size)}"


def signed(amount: Decimal, write: Callable[[Decimal], str] = money.display) -> str:
    """Write a difference, also one that is more with its sign."""
    text = write(amount)
    return text if amount <= 0 or text.startswith("<") else f"+{text}"
