"""What the log should hold of a client's calls, by the model's account, and what it holds."""

from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

from aggregates.models import Organization, UsageLog
from tests.clients.catalogue import Untold
from tests.clients.model import BROKEN, DATED, PRICES, Answered, Usage

KINDS = {"embeddings": "embeddings"}  # what calls are where nothing tells the program's own word; others are chat


class Counted(NamedTuple):
    """A call as the log should hold it."""

    user: str
    operation: str
    provider: str
    model: str
    status: str
    input: int
    cached: int
    cache_write: int
    cache_write_1h: int
    output: int
    reasoning: int
    cost: Decimal | None


def expected(account: Iterable[Answered], untold: Sequence[Untold]) -> Counter[Counted]:
    """The calls of the account, but for what the client cannot tell."""
    calls = ((call, {one.field for one in untold if one.is_of(call)}) for call in account)
    return Counter(_expected(call, fields) for call, fields in calls if "call" not in fields)


def _expected(call: Answered, untold: set[str]) -> Counted:
    usage = call.usage._replace(**dict.fromkeys(untold.intersection(Usage._fields), 0))
    failed = call.failed and "status" not in untold
    return Counted(
        user="" if "user" in untold else call.user,
        operation=KINDS.get(call.kind, "chat") if "operation" in untold else call.operation,
        provider="" if "provider" in untold else call.api,
        model=call.model,
        status="error" if failed else "ok",
        **usage._asdict(),
        cost=PRICES[call.model].of(usage) if any(usage) else None,
    )


def counted(organization: Organization, untold: Sequence[Untold]) -> Counter[Counted]:
    """The calls of the log, without what is told of some; models without the date that some clients tell."""
    names = (
        *("user_id", "operation", "provider", "model", "status", "input_tokens", "cached_tokens"),
        *("cache_write_tokens", "cache_write_1h_tokens", "output_tokens", "reasoning_tokens", "cost"),
    )
    rows = UsageLog.objects.filter(organization=organization).values_list(*names)
    found = (Counted(*row) for row in rows)
    blank = {one.field: 0 for one in untold if one.is_partial}
    return Counter(
        one._replace(model=one.model.removesuffix(DATED), cost=None if one.model == BROKEN else one.cost, **blank)
        for one in found
    )


def differences(wanted: Counter[Counted], found: Counter[Counted]) -> list[str]:
    """What is missing and what is too much, a line each."""
    missing, too_many = wanted - found, found - wanted
    return [
        f"{sign} {number} x {' '.join(map(str, call))}"
        for sign, calls in (("missing", missing), ("too much", too_many))
        for call, number in sorted(calls.items(), key=str)
    ]
