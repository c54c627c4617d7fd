"""Reports: what one span, event or log record tells of a call, or of whose the calls within it are."""

from datetime import datetime
from typing import NamedTuple

from aggregates.domain.calls import Call

NO_IDS = frozenset({"none", "null", "nil", "undefined", "unknown", "n/a"})  # nor are zeros alone, as of an empty UUID
# Scopes of spans that a vendor's own library makes of its calls: their numbers are those of the bill. Instrumentations
# around them may miss some, as they do of streams.
VENDORS = ("com.anthropic.sdk",)
RECORDED = "log"  # the scope of a call in the log of which no report is kept
RETRIEVALS = " retrieval"  # how the scope of those ends that tell of a response that was made before
EVENTS = " event"  # how the scope of those ends that tell in an event what a span tells, too
EMBEDDINGS = "embed"  # in the name of an operation or a model


def span_name(trace_id: bytes, span_id: bytes) -> str:
    """Name a span in all the world; a call without a response id has it as its request_id."""
    return f"{trace_id.hex()}-{span_id.hex()}"


class Report(NamedTuple):
    """What one span, event or log record tells.

    `span` names it in all the world, `parent` the one around it, "" where there is none; `scope` is who tells it.
    `call` is None for a span that is no call but may know whose the calls within it are. `user_id` and `operation` are
    the application's own words, "" where it says none; `is_log` marks a record without a duration beside a span,
    `is_recorded` one whose call is in the log.
    """

    span: str
    scope: str
    starts_at: datetime
    ends_at: datetime
    trace: str = ""
    parent: str = ""
    call: Call | None = None
    response_id: str = ""
    user_id: str = ""
    operation: str = ""
    project: str = ""
    is_log: bool = False
    is_recorded: bool = False  # its call is in the log

    def with_call(self, call: Call) -> "Report":
        """The same of another call; `_replace` takes three times as long."""
        return Report._make((*self[:CALL], call, *self[CALL + 1 :]))

    @property
    def response(self) -> str:
        """The response that it names; "" for ids that name nothing."""
        told = self.response_id
        return "" if not told or told.lower() in NO_IDS or not told.strip("0-") else told

    @property
    def tells_usage(self) -> bool:
        return self.call is not None and bool(self.call.input_tokens or self.call.output_tokens or self.call.cost)

    @property
    def failed(self) -> bool:
        return self.call is not None and self.call.status == "error"

    @property
    def is_vendor(self) -> bool:
        return self.scope.startswith(VENDORS)

    @property
    def is_retrieval(self) -> bool:
        """Whether it tells of asking for a response that was made before: a call only where nothing tells of that."""
        return self.scope.endswith(RETRIEVALS)

    @property
    def is_event(self) -> bool:
        """Whether it is an event of a call beside or within the span that tells the same."""
        return self.scope.endswith(EVENTS)

    @property
    def is_embedding(self) -> bool:
        return self.call is not None and (EMBEDDINGS in self.call.model.lower() or EMBEDDINGS in self.call.operation)


CALL = Report._fields.index("call")
