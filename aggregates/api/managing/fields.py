"""The body of a request that manages: one JSON object, whose fields are those that are known, each of its own kind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from http import HTTPStatus
from json import JSONDecodeError
from typing import Any

from django import forms
from django.http import HttpRequest

from aggregates.api.body import text_of
from aggregates.api.json import Repeated, decode
from aggregates.api.problems import ApiError, Errors
from aggregates.api.rows import DOCUMENT, SPACES, TOO_DEEP, BadRow, as_row
from aggregates.domain.formats import excerpt
from aggregates.domain.numbers import is_plain
from aggregates.ops.allowances import FORM


@dataclass(frozen=True, slots=True)
class Shape:
    """What a field's value is as JSON; `words` say it to people."""

    words: str
    fits: Callable[[object], bool]


def _is_text(value: object) -> bool:
    if not isinstance(value, str) or "\0" in value:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return _is_whole(value) or isinstance(value, Decimal) or (isinstance(value, str) and is_plain(value))


def _is_object(value: object) -> bool:
    if not isinstance(value, dict) or isinstance(value, Repeated) or not all(map(_is_text, value)):
        return False
    return all(_is_number(each) or _is_text(each) for each in value.values())


def _are_numbers(value: object) -> bool:
    return isinstance(value, dict) and _is_object(value) and all(map(_is_number, value.values()))


TEXT = Shape("text without null characters, or null", lambda value: value is None or _is_text(value))
NUMBER = Shape("a number, such as 12 or “0.5”, or null", lambda value: value is None or _is_number(value))
WHOLE = Shape("a whole number", _is_whole)
FLAG = Shape("true or false", lambda value: isinstance(value, bool))
TEXTS = Shape("a list of texts", lambda value: isinstance(value, list) and all(map(_is_text, value)))
BY_NAME = Shape("an object of values by name, each once", _is_object)
NUMBERS = Shape("an object of numbers by name, each once", _are_numbers)

Fields = Mapping[str, Shape]
Names = Mapping[str, str]  # what a form's fields are called in the API, where that is otherwise


def body_of(request: HttpRequest, fields: Fields) -> dict[str, Any]:
    """Read the fields of the body; raises ApiError, with all of them that do not fit."""
    body = _object(request)
    errors = [(excerpt(name), "There is no such field.") for name in sorted(body.keys() - fields.keys())]
    errors += [
        (name, f"Expected {shape.words}.")
        for name, shape in fields.items()
        if name in body and not shape.fits(body[name])
    ]
    if errors:
        raise invalid(errors)
    return dict(body)


def invalid(errors: Errors) -> ApiError:
    """Refuse fields that are not what is expected: which, and what was."""
    said = " ".join(f"{field}: {reason}" for field, reason in errors)
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, said, errors=errors)


def check(form: forms.BaseForm, names: Names | None = None) -> None:
    """Raise ApiError where a form has errors."""
    if not form.is_valid():
        raise invalid_form(form, names)


def invalid_form(form: forms.BaseForm, names: Names | None = None) -> ApiError:
    """Refuse what is wrong with a form, in its own words."""
    in_api = names or {}
    return invalid(
        [
            (in_api.get(name, "" if name == "__all__" else name), str(message))
            for name, found in form.errors.items()
            for message in found
        ]
    )


def with_form_names(body: Mapping[str, Any], names: Names) -> dict[str, Any]:
    """Name fields of a body as a form does; `names` are what its fields are called in the API."""
    of_form = {name: field for field, name in names.items()}
    return {of_form.get(name, name): value for name, value in body.items()}


def _object(request: HttpRequest) -> Mapping[str, Any]:
    if request.content_type not in DOCUMENT:
        raise ApiError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Expected the Content-Type {DOCUMENT[0]}.")
    text = _text(request)
    try:
        value, end = decode(text, 0)
    except RecursionError:
        raise _unreadable(str(TOO_DEEP)) from None
    except JSONDecodeError as error:
        raise _unreadable(f"expected JSON: {error.msg}") from None
    if end != len(text):
        raise _unreadable("expected nothing after the end of the document")
    row = as_row(value)
    if isinstance(row, BadRow):
        raise _unreadable(str(row))
    return row


def _text(request: HttpRequest) -> str:
    read, size = [], 0
    for piece in text_of(request):
        size += len(piece)
        if size > FORM:
            raise ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"Expected a body of at most {FORM:,} bytes.")
        read.append(piece)
    return "".join(read).strip(SPACES)


def _unreadable(words: str) -> ApiError:
    return ApiError(HTTPStatus.BAD_REQUEST, f"{words[0].upper()}{words[1:]}.")
