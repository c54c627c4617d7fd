"""Log records in which coding assistants tell their calls, an event a call; all other records are none."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import timedelta
from hashlib import blake2b
from typing import NamedTuple

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1 import logs_pb2

from aggregates.domain.calls import EPOCH, Call
from aggregates.ingest.fitting import Misfit, fitting_call
from aggregates.ingest.identity import Report, span_name
from aggregates.ingest.otlp.assistants import CLAUDE_CODE, CODEX, GEMINI_CLI, QWEN_CODE, Assistant
from aggregates.ingest.otlp.spans import are_ids, chosen_labels, project_of
from aggregates.ingest.otlp.values import Attributes, attributes_of, first

SESSION = ("session.id", "conversation.id")
# What tells one call of a session from another where no id does.
CONTENT = (*SESSION, "prompt_id", "event.sequence", "event.timestamp")
LATER = frozenset({"service_tier", "units", "labels"})  # of no part in an id: versions before did not know them


class Kind(NamedTuple):
    """An event that is a call."""

    name: str
    assistant: Assistant
    short_name: str = ""  # in event.name of its own scope
    scope: str = ""
    event_kind: str = ""  # of events of which only one kind is a call
    tells: str = ""  # an attribute that it has where an event of the same name and kind is told before


KINDS = (
    Kind("claude_code.api_request", CLAUDE_CODE, "api_request", "com.anthropic.claude_code"),
    Kind("codex.sse_event", CODEX, event_kind="response.completed", tells="input_token_count"),
    Kind("gemini_cli.api_response", GEMINI_CLI),
    Kind("qwen-code.api_response", QWEN_CODE),
)


@dataclass(frozen=True, slots=True)
class Event:
    """A log record that is a call."""

    record: logs_pb2.LogRecord
    attributes: Attributes
    resource: Attributes
    assistant: Assistant
    labels: Collection[str] = ()  # names of attributes that are kept as such

    def call(self, misfits: list[Misfit]) -> Call:
        """The call that it tells; what did not fit is added to `misfits`. Raises InvalidCall."""
        fields = {
            **self.assistant.fields({**self.resource, **self.attributes}, misfits),
            "timestamp": self._time(),
            "project": project_of(self.resource),
            "labels": chosen_labels(self.labels, self.attributes, self.resource, misfits),
        }
        return fitting_call(fields, misfits, self._content_id(fields))

    def report(self, call: Call) -> Report:
        """Make it a report of its call. It is within the span that it names."""
        trace, span = self.record.trace_id, self.record.span_id
        is_within = are_ids(trace, span)
        return Report(
            span=call.request_id,
            scope=f"{self.assistant.operation} events",
            starts_at=call.timestamp,
            ends_at=call.timestamp,
            trace=trace.hex() if is_within else "",
            parent=span_name(trace, span) if is_within else "",
            call=call._replace(request_id=""),
            response_id=call.request_id,
            user_id=call.user_id,
            operation=call.operation,
            project=call.project,
        )

    def _time(self) -> object:
        nanoseconds = self.record.time_unix_nano or self.record.observed_time_unix_nano
        if nanoseconds:
            return EPOCH + timedelta(microseconds=nanoseconds // 1000)
        return self.attributes.get("event.timestamp")

    def _content_id(self, fields: dict[str, object]) -> str:
        told = (value for name, value in sorted(fields.items()) if name not in LATER)
        content = [*(self.attributes.get(name) for name in CONTENT), *told]
        digest = blake2b("\0".join(map(str, content)).encode(errors="replace"), digest_size=16).hexdigest()
        return f"{self.assistant.operation}:{digest}"


def events_of(request: ExportLogsServiceRequest, labels: Collection[str] = ()) -> Iterator[tuple[int, Event]]:
    """The calls among the log records, each with the number of its record in the request; `labels` are the names of
    attributes that are kept as such."""
    index = -1
    for resource_logs in request.resource_logs:
        resource = attributes_of(resource_logs.resource.attributes)
        for scope_logs in resource_logs.scope_logs:
            for record in scope_logs.log_records:
                index += 1
                attributes = attributes_of(record.attributes)
                if assistant := _assistant(record, attributes, scope_logs.scope.name):
                    yield index, Event(record, attributes, resource, assistant, labels)


def _assistant(record: logs_pb2.LogRecord, attributes: Attributes, scope: str) -> Assistant | None:
    """Whose call the record is; None if it is none."""
    name = first(attributes, ["event.name"])
    names = (name, record.event_name, record.body.string_value)
    for kind in KINDS:
        is_it = kind.name in names or (kind.short_name and kind.short_name in names and scope.startswith(kind.scope))
        is_kind = attributes.get("event.kind", kind.event_kind) == kind.event_kind
        if is_it and is_kind and (not kind.tells or kind.tells in attributes):
            return kind.assistant
    return None
