"""What the API is: as an OpenAPI document for programs, and the same as a page for people. Neither is a secret."""

import json

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from aggregates.api.openapi.document import document


@require_safe
def openapi(request: HttpRequest) -> HttpResponse:
    return JsonResponse(document())


@require_safe
def api(request: HttpRequest) -> HttpResponse:
    described = document()
    site = request.build_absolute_uri("/").rstrip("/")
    address = request.build_absolute_uri(reverse("record-usage"))
    examples = described["paths"]["/api/v1/usage"]["post"]["requestBody"]["content"]["application/json"]["examples"]
    others = [
        (method.upper(), f"{site}{path}", operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
        if operation is not described["paths"]["/api/v1/usage"]["post"]
    ]
    context = {
        "api": described,
        "operation": described["paths"]["/api/v1/usage"]["post"],
        "call": described["components"]["schemas"]["Call"],
        "outcome": described["components"]["schemas"]["Outcome"],
        "schemes": described["components"]["securitySchemes"].values(),
        "address": address,
        "others": others,
        "example": json.dumps(examples["one"]["value"], indent=2),
        "answer": json.dumps(
            described["paths"]["/api/v1/usage"]["post"]["responses"]["200"]["content"]["application/json"]["example"],
            indent=2,
        ),
    }
    return render(request, "aggregates/api.html", context)
