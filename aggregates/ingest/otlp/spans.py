"""Spans as they came, and what they say: which of them are calls to a model, and of these the fields."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import chain

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1 import trace_pb2

from aggregates.domain.calls import EPOCH, Call, InvalidCall
from aggregates.domain.labels import Labels
from aggregates.domain.providers import is_known, provider_name
from aggregates.ingest.billing import TIERS, tiers_in
from aggregates.ingest.documents import parsed
from aggregates.ingest.fitting import INSTEAD, Misfit, fitting_call, labels_of, shortened
from aggregates.ingest.identity.retrievals import RESPONSE
from aggregates.ingest.operations import LITELLM, OF_RESPONSE, RETRIEVAL, operation_name, own_name
from aggregates.ingest.otlp.assistants import CLAUDE_CODE
from aggregates.ingest.otlp.attributes import (
    AROUND,
    CALL_TYPES,
    EXACT_KINDS,
    KINDS,
    LEVEL_OF_FAILURE,
    LISTED_KINDS,
    NAMES,
    NO_CALLS,
    OF_LANGCHAIN,
    PARAMETERS_OF_MODEL,
)
from aggregates.ingest.otlp.clients import (
    Retrieval,
    as_meant,
    beside_of,
    is_agent_as_model,
    is_no_chat,
    is_own_error,
    is_told_by_record,
    provider_meant,
    retrieval_of,
)
from aggregates.ingest.otlp.usage import Document, documents_of, usage_fields
from aggregates.ingest.otlp.values import NO_VALUE, Attributes, attributes_of, first

TRACE_ID, SPAN_ID = 16, 8  # bytes
NO_TRACE, NO_SPAN = bytes(TRACE_ID), bytes(SPAN_ID)
MAX_DEPTH = 100  # of spans within spans that are looked through
NO_SERVICE = "unknown_service"  # what SDKs call a service that has no name
FALSE = (False, "false")
OF_CLAUDE_CODE = KINDS["span.type"]
WHO = frozenset(NAMES["user_id"])
OWN_NAMES = frozenset([*NAMES["operation"], *NAMES["words"]])
TELL_TIER = frozenset([*NAMES["parameters"], *(name for field in TIERS for name in NAMES.get(field, ()))])
WHOLES = frozenset([*NAMES["input"], *NAMES["output"]])
OF_CALLS = WHOLES.union(KINDS)  # a span without any of these is no call


def are_ids(trace_id: bytes, span_id: bytes) -> bool:
    """Whether these name a trace and a span; zeros alone stand for none."""
    return len(trace_id) == TRACE_ID and len(span_id) == SPAN_ID and trace_id != NO_TRACE and span_id != NO_SPAN


@dataclass(slots=True, eq=False)
class Seen:
    """A span that came, with what is said of all spans of its program and its instrumentation.

    `name` is its own in all the world, and `parent` that of the span around it; "" where there is none. `trace` is that
    of both, `project` what its program is called, `operation` what that calls the work, and `is_call` whether it is a
    call to a model.
    """

    span: trace_pb2.Span
    attributes: Attributes
    resource: Attributes
    scope: str
    version: str  # of the scope
    trace: str
    name: str
    parent: str
    project: object
    operation: object = field(init=False)
    is_call: bool = field(init=False)

    def __post_init__(self) -> None:
        self.operation = operation_told(self.attributes) if self.attributes else None
        self.is_call = bool(self.attributes) and self._is_call()

    @property
    def is_named(self) -> bool:
        """Whether its name is its own: its ids are such as OpenTelemetry makes."""
        return are_ids(self.span.trace_id, self.span.span_id)

    @property
    def is_of_claude_code(self) -> bool:
        return self.attributes.get("span.type") in OF_CLAUDE_CODE

    def _is_call(self) -> bool:
        attributes = self.attributes
        if OF_CALLS.isdisjoint(attributes) or not attributes.keys().isdisjoint(AROUND):
            return False
        operation = attributes.get("gen_ai.operation.name")
        is_none = operation in NO_CALLS and not is_agent_as_model(self.scope, operation)
        if is_none and not self._tells_of_response:
            return False
        told = {name: attributes[name] in kinds for name, kinds in KINDS.items() if name in attributes}
        if False in map(told.get, EXACT_KINDS) or self.asks_for_what_was_made() or self.is_told_by_record:
            return False
        tells_usage = self._tells_usage()
        if not tells_usage and (retrieval := self._retrieval) and retrieval.is_certain:
            return False  # what it asks for is not there yet
        return any(told.values()) or tells_usage and told.keys().isdisjoint(LISTED_KINDS)

    def _tells_usage(self) -> bool:
        """Whether it tells tokens: such a span is a call also where its operation is new to us."""
        return any(value != "" for name, value in self.attributes.items() if name in WHOLES)

    def asks_for_what_was_made(self) -> bool:
        """Whether it only asks for a response that was made before, or for something else than a model's answer."""
        if is_no_chat(self.scope, self.span.name):
            return True
        return self._is_told_as_retrieval and not self._tells_of_response

    @property
    def is_retrieval(self) -> bool:
        """Whether it only asks for a response that was made before."""
        return self._retrieval is not None or self._is_told_as_retrieval

    @property
    def _is_told_as_retrieval(self) -> bool:
        """Whether LiteLLM says so."""
        return any(isinstance(kind, str) and RETRIEVAL.match(kind) for kind in self._call_types)

    @property
    def _tells_of_response(self) -> bool:
        """Whether it is a retrieval, as LiteLLM says, of a response that it names and whose usage it tells: nobody else
        may. By no name, those of one response are not told from those of others."""
        if not any(isinstance(kind, str) and OF_RESPONSE.fullmatch(kind) for kind in self._call_types):
            return False
        named = first(self.attributes, NAMES["request_id"])
        return isinstance(named, str) and bool(RESPONSE.fullmatch(named)) and self._tells_usage()

    @property
    def _call_types(self) -> Iterator[object]:
        return (self.attributes.get(name) for name in CALL_TYPES)

    @property
    def _retrieval(self) -> Retrieval | None:
        return retrieval_of(self.scope, self.span.name, self.attributes)

    @property
    def is_told_by_record(self) -> bool:
        """Whether a log record of its client tells the call."""
        return is_told_by_record(self.scope, self.span.name)

    def has_failed(self) -> bool:
        level, succeeded = self.attributes.get("langfuse.observation.level"), self.attributes.get("success")
        tells_error = "error.type" in self.attributes
        if tells_error and is_own_error(self.scope, self.attributes["error.type"]):
            return False
        return (
            self.span.status.code == trace_pb2.Status.STATUS_CODE_ERROR
            or tells_error
            or level == LEVEL_OF_FAILURE
            or (self.is_of_claude_code and succeeded in FALSE)
        )


class Batch:
    """The spans of a request."""

    def __init__(self, request: ExportTraceServiceRequest, labels: Collection[str] = ()) -> None:
        """`labels` are the names of attributes that are kept as such."""
        self._labels = labels
        self.spans = list(_seen(request))
        self._by_name: dict[str, Seen] = {}
        for seen in self.spans:
            self._by_name.setdefault(seen.name, seen)

    def ancestors(self, seen: Seen) -> Iterator[Seen]:
        """The spans around this one that came with it, nearest first."""
        around = self._by_name.get(seen.parent)
        for _ in range(MAX_DEPTH):
            if around is None or around is seen:
                return
            yield around
            around = self._by_name.get(around.parent)

    def call_of(self, seen: Seen, misfits: list[Misfit]) -> Call:
        """The call that the span is; what did not fit is added to `misfits`. Raises InvalidCall."""
        span = seen.span
        if not seen.is_named:
            raise InvalidCall(
                "", f"expected a trace id of {TRACE_ID} bytes and a span id of {SPAN_ID}, not zeros alone"
            )
        took = (span.end_time_unix_nano - span.start_time_unix_nano) // 1_000_000
        fields: dict[str, object] = {
            **(_of_claude_code(seen, misfits) if seen.is_of_claude_code else _fields(seen, misfits)),
            "timestamp": EPOCH + timedelta(microseconds=start // 1000) if (start := _start(seen)) else None,
            "latency_ms": took if span.end_time_unix_nano and took >= 0 else None,
            "status": "error" if seen.has_failed() else "ok",
            "project": seen.project,
            "labels": chosen_labels(self._labels, seen.attributes, seen.resource, misfits),
        }
        fields["user_id"] = fields.get("user_id") or self._user_of(seen)
        told = {name: value for name, value in fields.items() if value is not None}
        return fitting_call(told, misfits, seen.name)

    def _user_of(self, seen: Seen) -> object:
        """Who made the call, from the span, the nearest one around it that says so, or the program."""
        told: object = None
        for attributes in chain([seen.attributes], (one.attributes for one in self.ancestors(seen)), [seen.resource]):
            if not WHO.isdisjoint(attributes) and (user := first(attributes, NAMES["user_id"])) is not None:
                if user is not NO_VALUE:
                    return user
                told = user  # which is said, if nobody else is
        return told


def _of_claude_code(seen: Seen, misfits: list[Misfit]) -> dict[str, object]:
    return CLAUDE_CODE.fields({**seen.resource, **seen.attributes}, misfits)


def _fields(seen: Seen, misfits: list[Misfit]) -> dict[str, object]:
    attributes = as_meant(seen.scope, seen.attributes)
    provider = provider_meant(seen.scope, _provider(attributes))
    model = first(attributes, NAMES["model"])
    if model is None or model is NO_VALUE:
        model = _model_asked_for(attributes) or model
    beside = beside_of(seen.scope, seen.version, provider, attributes, model)
    documents = documents_of(attributes)
    return {
        "operation": seen.operation or _kind(seen),
        "provider": provider,
        "model": model,
        "request_id": first(attributes, NAMES["request_id"]),
        "service_tier": _tier(attributes, documents),
        **usage_fields(attributes, beside, misfits, documents=documents),
    }


def _provider(attributes: Attributes) -> str:
    """The first that is named; frameworks that name themselves are none. What LangChain says comes first where it is
    known, as LangSmith guesses the others from the model."""
    said = attributes.get(OF_LANGCHAIN)
    if isinstance(said, str) and is_known(said):
        return provider_name(said)
    named = (attributes.get(name) for name in NAMES["provider"])
    return next((one for value in named if isinstance(value, str) and (one := provider_name(value))), "")


def operation_told(attributes: Attributes) -> object:
    """What the program calls it, by the first attribute that has a name of its own."""
    if OWN_NAMES.isdisjoint(attributes):
        return None
    named = (own_name(value) for name in NAMES["operation"] if (value := attributes.get(name)) not in (None, ""))
    told = next((one for one in named if one is not None), None)
    words = None if told is not None else first(attributes, NAMES["words"])
    return told if words is None else first(parsed(words), ["operation"])


def _tier(attributes: Attributes, documents: Sequence[Document]) -> str:
    """The service tier, the speed and the region of inference that attributes tell, else texts of usage, else the
    parameters that the model was called with."""
    if not documents and TELL_TIER.isdisjoint(attributes):  # nearly always
        return ""
    asked = first(attributes, NAMES["parameters"])
    # Deeper in parameters are the program's own data.
    parameters = {name: value for name, value in parsed(asked).items() if not isinstance(value, dict | list)}
    in_texts = tiers_in([*documents, parameters]) if documents or parameters else {}
    told = (_told(first(attributes, NAMES.get(name, ())), in_texts.get(name)) for name in TIERS)
    return "+".join(shortened(str(one)) for one in told if one is not None)


def _told(tier: object, in_texts: object) -> object:
    """What an attribute tells, else what texts do; of what is no value not nothing, or the call had the plain price."""
    if tier is NO_VALUE:
        return INSTEAD["service_tier"] if in_texts is None else in_texts
    return tier or in_texts


def _kind(seen: Seen) -> object:
    if seen.is_retrieval:
        return "chat"
    kind = first(seen.attributes, NAMES["kind"])
    client = LITELLM if seen.scope.startswith(LITELLM) else ""
    return operation_name(kind, client) if isinstance(kind, str) else kind


def _model_asked_for(attributes: Attributes) -> object:
    """Calls that fail name their model in their parameters only."""
    text = first(attributes, NAMES["parameters"])
    return None if text is None else first(parsed(text), PARAMETERS_OF_MODEL)


def chosen_labels(
    names: Collection[str], attributes: Attributes, resource: Attributes, misfits: list[Misfit]
) -> Labels | None:
    """The attributes of a call, or of the program that made it, that are kept as its labels."""
    if not names:
        return None
    told = ((name, attributes.get(name, resource.get(name))) for name in names)
    return labels_of(told, misfits) or None


def project_of(resource: Attributes) -> object:
    service = first(resource, NAMES["project"])
    return None if isinstance(service, str) and service.startswith(NO_SERVICE) else service


def _start(seen: Seen) -> int:
    start: int = seen.span.start_time_unix_nano
    return start


def _seen(request: ExportTraceServiceRequest) -> Iterator[Seen]:
    for resource_spans in request.resource_spans:
        resource = attributes_of(resource_spans.resource.attributes)
        project = project_of(resource)
        for scope_spans in resource_spans.scope_spans:
            scope, version = shortened(scope_spans.scope.name).replace("\0", ""), scope_spans.scope.version
            for span in scope_spans.spans:
                trace, parent = span.trace_id.hex(), span.parent_span_id  # names as `identity.span_name` makes them
                yield Seen(
                    span,
                    attributes_of(span.attributes),
                    resource,
                    scope,
                    version,
                    trace,
                    f"{trace}-{span.span_id.hex()}",
                    f"{trace}-{parent.hex()}" if len(parent) == SPAN_ID and parent != NO_SPAN else "",
                    project,
                )
