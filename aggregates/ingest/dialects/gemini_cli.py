"""Gemini CLI: its session files, ~/.gemini/tmp/*/chats/session-*.json, one document, or .jsonl, a line a change.

A message of type “gemini” is a call. A line may repeat a message of an earlier one, or all of them.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from aggregates.domain.calls import InvalidCall
from aggregates.ingest.dialects.rows import (
    Fields,
    count,
    joined,
    last_part,
    list_of,
    mapping_of,
    object_of,
    out_of,
    told_beside,
    value_of,
)
from aggregates.ingest.fitting import Misfit

COUNTS = {
    "input": "input_tokens",
    "cached": "cached_tokens",
    "tool": "input_tokens",
    "output": "output_tokens",
    "thoughts": "reasoning_tokens",
    "total": "total_tokens",
}
SEARCH = "google_web_search"  # the tool, which has the model search


class Sessions:
    """Reads lines of one session after the other: it remembers which session they are of."""

    def __init__(self) -> None:
        self._id: object = None
        self._project: object = ""

    def __call__(self, row: Mapping[str, Any], misfits: list[Misfit]) -> Iterator[Fields]:
        """The calls of a document, or the call of a line, if any; raises InvalidCall."""
        change = mapping_of(row.get("$set")) or row
        if value_of(change, "sessionId"):
            self._id, self._project = value_of(change, "sessionId"), ""
        folders = change.get("directories")
        if isinstance(folders, list) and folders:
            self._project = out_of(folders[0], last_part)
        messages = change.get("messages")
        if messages is not None and not isinstance(messages, list):
            raise InvalidCall("messages", "expected a list")
        for message in [row] if messages is None else messages:
            if isinstance(message, dict) and value_of(message, "type") == "gemini":
                tokens = object_of(message, misfits, "tokens")
                if tokens or misfits:
                    yield self._call(message, tokens, misfits)

    def _call(self, message: Mapping[str, Any], tokens: Mapping[str, Any], misfits: list[Misfit]) -> Fields:
        one = value_of(message, "id")
        return {
            # Without a session, messages of the same id are told apart by their time.
            "request_id": one and joined(":", "gemini-cli", self._id or value_of(message, "timestamp"), one),
            "timestamp": value_of(message, "timestamp"),
            "operation": "gemini-cli",
            "provider": "google",
            "model": value_of(message, "model"),
            "project": self._project,
            **_counts(tokens, misfits),
            "units": {"web_searches": _searches(message)},
        }


def _searches(message: Mapping[str, Any]) -> int:
    """How many searches that the message asked for were made."""
    calls = [mapping_of(each) for each in list_of(message.get("toolCalls"))]
    return sum(each.get("name") == SEARCH and each.get("status") == "success" for each in calls)


def _counts(tokens: Mapping[str, Any], misfits: list[Misfit]) -> dict[str, int]:
    """The total tells whether thoughts are beside the output, and what tools put into the prompt beside the input."""
    sent, cached, tool, received, thoughts, total = (
        count(tokens, field, misfits, name) for name, field in COUNTS.items()
    )
    more, thought = told_beside(sent + received, (tool, thoughts), total)
    return {
        "input_tokens": max(sent + more, cached),
        "cached_tokens": cached,
        "output_tokens": max(received + thought, thoughts),
        "reasoning_tokens": thoughts,
    }
