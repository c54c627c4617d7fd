"""Gemini CLI: its session files, ~/.gemini/tmp/*/chats/session-*.json, one document, or .jsonl, a line a change.

A message of type “gemini” is a call. A line may repeat a message of an earlier one, or all of them.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from aggregates.ingest.dialects.rows import Fields, count, list_of, mapping_of, told_beside, value_of

SEARCH = "google_web_search"  # the tool, which has the model search


class Sessions:
    """Reads lines of one session after the other: it remembers which session they are of."""

    def __init__(self) -> None:
        self._id = ""
        self._project = ""

    def __call__(self, row: Mapping[str, Any]) -> Iterator[Fields]:
        """The calls of a document, or the call of a line, if any; raises InvalidCall."""
        change = mapping_of(row.get("$set")) or row
        if value_of(change, "sessionId"):
            self._id, self._project = str(value_of(change, "sessionId")), ""
        folders = change.get("directories")
        if isinstance(folders, list) and folders:
            self._project = re.split(r"[/\\]", str(folders[0]).rstrip("/\\"))[-1]
        messages = change.get("messages")
        for message in messages if isinstance(messages, list) else [row]:
            tokens = mapping_of(mapping_of(message).get("tokens"))
            if tokens and value_of(message, "type") == "gemini":
                yield self._call(message, tokens)

    def _call(self, message: Mapping[str, Any], tokens: Mapping[str, Any]) -> Fields:
        one = value_of(message, "id")
        return {
            # Without a session, messages of the same id are told apart by their time.
            "request_id": one and f"gemini-cli:{self._id or value_of(message, 'timestamp')}:{one}",
            "timestamp": value_of(message, "timestamp"),
            "operation": "gemini-cli",
            "provider": "google",
            "model": value_of(message, "model"),
            "project": self._project,
            **_counts(tokens),
            "units": {"web_searches": _searches(message)},
        }


def _searches(message: Mapping[str, Any]) -> int:
    """How many searches that the message asked for were made."""
    calls = [mapping_of(each) for each in list_of(message.get("toolCalls"))]
    return sum(each.get("name") == SEARCH and each.get("status") == "success" for each in calls)


def _counts(tokens: Mapping[str, Any]) -> dict[str, int]:
    """The total tells whether thoughts are beside the output, and what tools put into the prompt beside the input."""
    sent, cached, tool, received, thoughts, total = (
        count(tokens, name) for name in ("input", "cached", "tool", "output", "thoughts", "total")
    )
    more, thought = told_beside(sent + received, (tool, thoughts), total)
    return {
        "input_tokens": max(sent + more, cached),
        "cached_tokens": cached,
        "output_tokens": max(received + thought, thoughts),
        "reasoning_tokens": thoughts,
    }
