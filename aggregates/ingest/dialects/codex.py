"""Codex CLI: its session files, ~/.codex/sessions/YYYY/MM/DD/rollout-*.jsonl.

After each call, and sometimes again, a line tells the tokens of the last call and of the session so far. The model and
the folder, the tier and each search of the web are on other lines. A session that is forked off another one begins with
a copy of it, its lines re-stamped with the time of the fork: these calls are in the other session's file.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from aggregates.domain.calls import parse_time
from aggregates.ingest.billing import first_tier
from aggregates.ingest.dialects.rows import (
    Fields,
    count,
    joined,
    last_part,
    mapping_of,
    one_of,
    out_of,
    parts_beside,
    text_of,
    value_of,
)
from aggregates.ingest.fitting import Misfit

COUNTS = {
    "input_tokens": "input_tokens",
    "cached_input_tokens": "cached_tokens",
    "cache_write_input_tokens": "cache_write_tokens",
    "output_tokens": "output_tokens",
    "reasoning_output_tokens": "reasoning_tokens",
}
AT_ONCE = timedelta(seconds=1)  # no call is answered sooner after the start of a forked session

_Counts = tuple[int, ...]  # in the order of COUNTS


class Sessions:
    """Reads lines of one session after the other: it remembers what the lines before have told."""

    def __init__(self) -> None:
        self._told: dict[str, set[tuple[_Counts, _Counts]]] = defaultdict(set)  # by each session so far
        self._parents: dict[str, str] = {}  # of each that was forked off another one
        self._model: Any = None
        self._folder: Any = None
        self._tier: Any = None
        self._searches = 0  # since the last call
        self._begin({})

    def __call__(self, row: Mapping[str, Any], misfits: list[Misfit]) -> Iterator[Fields]:
        """The call that a line tells of, or none."""
        kind, payload = value_of(row, "type"), mapping_of(row.get("payload"))
        if kind == "session_meta":
            if not self._is_ancestor(payload):
                self._begin(payload, text_of(row, "timestamp"))
        elif kind == "turn_context":
            self._model = value_of(payload, "model") or self._model
            self._folder = value_of(payload, "cwd") or self._folder
            self._set_tier(payload)
        elif kind == "response_item":
            self._searches += _is_search(payload)
        elif kind == "event_msg" and value_of(payload, "type") == "thread_settings_applied":
            settings = mapping_of(payload.get("thread_settings"))
            self._model = value_of(settings, "model") or self._model
            self._set_tier(settings)
        elif kind == "event_msg" and value_of(payload, "type") == "token_count":
            yield from self._call(row, mapping_of(payload.get("info")), misfits)

    def _set_tier(self, settings: Mapping[str, Any]) -> None:
        """Take the tier of the calls that follow; settings that do not name one leave it as it is."""
        if "service_tier" in settings:
            self._tier = settings["service_tier"]

    def _begin(self, meta: Mapping[str, Any], written: str = "") -> None:
        self._id = value_of(meta, "id")
        self._folder = value_of(meta, "cwd")
        self._provider = value_of(meta, "model_provider") or "openai"
        self._model = None
        self._tier, self._searches = None, 0
        self._total: _Counts = (0,) * len(COUNTS)
        spawned = mapping_of(mapping_of(mapping_of(meta.get("source")).get("subagent")).get("thread_spawn"))
        parent = text_of(meta, "forked_from_id") or text_of(spawned, "parent_thread_id")
        self._parents[str(self._id)] = parent
        self._ancestors = set(self._line_of(parent))
        self._copied: set[str] = set()  # ancestors whose head was in it
        self._copying = bool(parent)  # what is read is a copy of the session that this one is forked off
        self._since = _time(value_of(meta, "timestamp")) or _time(written)

    def _is_ancestor(self, meta: Mapping[str, Any]) -> bool:
        """Whether this is the copied head of a session that the one being read is forked off."""
        one = text_of(meta, "id")
        if not self._copying or one not in self._ancestors or one in self._copied:
            return one != "" and one == str(self._id)  # not what the next file begins with
        self._copied.add(one)
        self._ancestors.update(self._line_of(text_of(meta, "forked_from_id")))
        return True

    def _line_of(self, session: str) -> Iterator[str]:
        """The session and those that it is forked off, as far as they are known."""
        seen: set[str] = set()
        while session and session not in seen:
            seen.add(session)
            yield session
            session = self._parents.get(session, "")

    def _call(self, row: Mapping[str, Any], info: Mapping[str, Any], misfits: list[Misfit]) -> Iterator[Fields]:
        total, last = (_counts(info.get(name), misfits) for name in ("total_token_usage", "last_token_usage"))
        if total is None and last is None or total == self._total:
            return  # rate limits alone, or the same again
        if last is None:
            last = tuple(max(0, now - then) for now, then in zip(total or (), self._total, strict=True))
        if total:
            self._total = total
        searches, self._searches = self._searches, 0
        if not any(last):
            return
        told = (total or last, last)
        self._copying = self._copying and (self._have_ancestors_told(told) or self._is_at_once(row))
        if self._copying:
            return
        self._told[str(self._id)].add(told)
        sent, cached, written, received, reasoning = last
        beside = parts_beside(
            sent,
            cached + written,
            received,
            count(mapping_of(info.get("last_token_usage")), "total_tokens", misfits, "total_tokens"),
            usually=False,
        )
        yield {
            "request_id": joined(":", "codex", self._id, joined("-", *total)) if self._id and total else None,
            "timestamp": value_of(row, "timestamp"),
            "operation": "codex",
            "provider": self._provider,
            "model": one_of("model", misfits, value_of(info, "model"), self._model),
            "project": out_of(self._folder, last_part),
            "input_tokens": sent + cached + written if beside else sent,
            "cached_tokens": cached,
            "cache_write_tokens": written,
            "output_tokens": received if reasoning <= received else received + reasoning,
            "reasoning_tokens": reasoning,
            "service_tier": out_of(self._tier, first_tier),
            "units": {"web_searches": searches},
        }

    def _have_ancestors_told(self, told: tuple[_Counts, _Counts]) -> bool:
        return any(told in self._told[one] for one in self._ancestors if one in self._told)

    def _is_at_once(self, row: Mapping[str, Any]) -> bool:
        """Whether a line of a forked session is as old as its beginning or its last copied call, or older."""
        at = _time(value_of(row, "timestamp"))
        if at is None or self._since is None or at - self._since > AT_ONCE:
            return False
        self._since = max(self._since, at)
        return True


def _is_search(item: Mapping[str, Any]) -> bool:
    """Whether a part of an answer is a search of the web; to open a page that was found is none."""
    action, status = mapping_of(item.get("action")).get("type"), item.get("status")
    return item.get("type") == "web_search_call" and status in (None, "completed") and action in (None, "search")


def _counts(usage: object, misfits: list[Misfit]) -> _Counts | None:
    given = mapping_of(usage)
    if COUNTS.keys().isdisjoint(given):
        return None
    return tuple(count(given, field, misfits, name) for name, field in COUNTS.items())


def _time(value: object) -> datetime | None:
    try:
        return parse_time(value)
    except ValueError:
        return None
