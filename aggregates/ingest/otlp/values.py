"""Values of attributes as Python has them, and the first text that is there of several."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

Attributes = Mapping[str, object]
PLAIN = frozenset({"string_value", "int_value", "bool_value"})
NO_VALUE = object()  # for a value that is none of a call's


def attributes_of(pairs: Iterable[KeyValue]) -> Attributes:
    return {pair.key: (value := pair.value).string_value or value_of(value) for pair in pairs}  # most are texts


def value_of(value: AnyValue) -> object:
    kind = value.WhichOneof("value")
    if kind == "int_value":
        return value.int_value
    if kind in PLAIN:
        return getattr(value, kind)
    if kind == "double_value":
        return Decimal(repr(value.double_value))
    return None if kind is None else NO_VALUE


def first(attributes: Attributes, names: Iterable[str]) -> object:
    """What the first of these attributes that says something says; None if none does, NO_VALUE if nothing of it is a
    value of a call's."""
    if not attributes:
        return None
    other = None
    for name in names:
        if name in attributes and (value := attributes[name]) not in (None, ""):
            if value is not NO_VALUE:
                return value
            other = value
    return other
