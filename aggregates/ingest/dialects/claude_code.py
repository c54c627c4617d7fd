"""Claude Code: the logs of its sessions, ~/.claude/projects/*/*.jsonl, and below, of their subagents.

A reply is logged in pieces, a line each, that repeat its ids; the line with the most output has its final usage.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from aggregates.domain.providers import provider_of_id
from aggregates.ingest.billing import TOOLS, tier_of, told_units, units_of
from aggregates.ingest.dialects import bedrock
from aggregates.ingest.dialects.rows import (
    Fields,
    count,
    joined,
    last_part,
    mapping_of,
    object_of,
    out_of,
    text_of,
    value_of,
)
from aggregates.ingest.fitting import Misfit

NO_MODEL = "<synthetic>"  # what the program itself said
OF_BEDROCK = re.compile(r"(?:^|[./])anthropic\.claude")
# Parts of a reply that its usage leaves out: what shortening the context, and asking an advisor, took.
APART = ("compaction", "advisor_message")


class Sessions:
    """Reads lines of sessions, and knows at the end which of the calls were logged again under other ids."""

    def __init__(self) -> None:
        self._main: dict[tuple[str, str], set[str]] = defaultdict(set)  # calls of a conversation, by session, message
        # Of side conversations: the call and time of each message, by session and request.
        self._aside: dict[tuple[str, str], dict[str, tuple[str, str]]] = defaultdict(dict)

    def __call__(self, row: Mapping[str, Any], misfits: list[Misfit]) -> Iterator[Fields]:
        """The calls that a line is a piece of, or none."""
        message = mapping_of(row.get("message"))
        usage = object_of(message, misfits, "usage")
        model = value_of(message, "model")
        is_call = (usage or misfits) and value_of(row, "type") in ("assistant", None)
        if not is_call or model == NO_MODEL:
            return
        one = joined(":", value_of(message, "id"), value_of(row, "requestId"))
        if isinstance(one, str):
            self._note(row, message, one)
        call = {
            "request_id": one,
            "timestamp": value_of(row, "timestamp"),
            "operation": "claude-code",
            "provider": _provider_of(str(model)),
            "model": bedrock.model_of(model),
            "project": out_of(value_of(row, "cwd"), last_part),
            "service_tier": tier_of(usage),
        }
        units = told_units(units_of({TOOLS: mapping_of(usage.get(TOOLS))}))
        yield {
            **call,
            **_tokens(usage, misfits),
            "units": units,
            "cost": value_of(row, "costUSD"),
        }  # in logs of 2025's first months
        for number, part in enumerate(_parts_apart(usage), 1):
            name = {"request_id": f"{one}:{value_of(part, 'type')}:{number}"} if one and isinstance(one, str) else {}
            asked = value_of(part, "model") or model
            named = {"provider": _provider_of(str(asked)), "model": bedrock.model_of(asked)}
            yield {**call, **name, **named, **_tokens(part, misfits)}

    def repeats(self) -> Callable[[str], bool]:
        """What tells, at the end, whether the call of a request_id is another one that was read, logged again.

        A side question (“/btw”) logs the conversation before it again, as answers to its own request. Of the messages
        of one such request only the last is its answer.
        """
        repeated = set()
        for (session, _), messages in self._aside.items():
            answer = max(reversed(messages), key=lambda message: messages[message][1])
            for message, (call, _) in messages.items():
                known = self._main.get((session, message), set())
                if call not in known and (known or message != answer):
                    repeated.add(call)
        return lambda call: call in repeated or call.rsplit(":", 2)[0] in repeated  # or it is a part of one

    def _note(self, row: Mapping[str, Any], message: Mapping[str, Any], call: str) -> None:
        session, request, name = (
            text_of(*named) for named in ((row, "sessionId"), (row, "requestId"), (message, "id"))
        )
        if not request or not name:
            return
        if row.get("isSidechain") is True:
            self._aside[session, request].setdefault(name, (call, text_of(row, "timestamp")))
        else:
            self._main[session, name].add(call)


def _provider_of(model: str) -> str:
    """Behind a proxy, models of anybody answer: whose one without Claude in its name is, is not told."""
    if OF_BEDROCK.search(model) or provider_of_id(model) == bedrock.PROVIDER:
        return bedrock.PROVIDER
    return "anthropic" if "claude" in model.lower() else ""


def _tokens(usage: Mapping[str, Any], misfits: list[Misfit]) -> dict[str, int]:
    fresh = count(usage, "input_tokens", misfits, "input_tokens")
    cached = count(usage, "cached_tokens", misfits, "cache_read_input_tokens")
    written = count(usage, "cache_write_tokens", misfits, "cache_creation_input_tokens")
    written_1h = count(usage, "cache_write_1h_tokens", misfits, "cache_creation.ephemeral_1h_input_tokens")
    return {
        "input_tokens": fresh + cached + written,
        "cached_tokens": cached,
        "cache_write_tokens": written,
        "cache_write_1h_tokens": min(written, written_1h),
        "output_tokens": count(usage, "output_tokens", misfits, "output_tokens"),
    }


def _parts_apart(usage: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    parts = usage.get("iterations")
    named = [mapping_of(part) for part in parts] if isinstance(parts, list) else []
    return [part for part in named if value_of(part, "type") in APART]
