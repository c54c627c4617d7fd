"""Forms that are refused for now: the form says why, and its view answers with the status that programs know."""

from http import HTTPStatus

from django.core.exceptions import ValidationError
from django.forms import BaseForm
from django.http import HttpResponse


def refusal(error: Exception, status: HTTPStatus, seconds: int) -> ValidationError:
    """Make a form's error of it, which the view of the form answers with this status."""
    return ValidationError(str(error), code="refused", params={"status": status, "seconds": seconds})


def with_status(response: HttpResponse, form: BaseForm) -> HttpResponse:
    """Give the answer of a form the status of its refusal, if it was refused."""
    for error in (error for errors in form.errors.as_data().values() for error in errors):
        if error.code == "refused" and error.params:
            response.status_code = error.params["status"]
            response["Retry-After"] = str(error.params["seconds"])
    return response


class Refusing:
    """A view of a form that answers refusals with their status; the form says why."""

    def form_invalid(self, form: BaseForm) -> HttpResponse:
        return with_status(super().form_invalid(form), form)  # type: ignore[misc]
