"""Values of attributes as Python has them, and the first text that is there of several."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

Attributes = Mapping[str, object]
NO_VALUE = object()  # for a value that is none of a call's


def attributes_of(pairs: Iterable[KeyValue]) -> Attributes:
    return {pair.key: value_of(pair.value) for pair in pairs}


def value_of(value: AnyValue) -> object:
    match value.WhichOneof("value"):
        case "string_value":
            return value.string_value
        case "int_value":
            return value.int_value
        case "bool_value":
            return value.bool_value
        case "double_value":
            return Decimal(repr(value.double_value))
        case None:
            return None
    return NO_VALUE


def first(attributes: Attributes, names: Iterable[str]) -> object:
    """What the first of these attributes that says something says; None if none does."""
    return next((value for name in names if (value := attributes.get(name)) not in (None, "")), None)
