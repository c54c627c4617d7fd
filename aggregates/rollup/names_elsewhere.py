"""Replacing a user's name where it stands beside the log: in reports, imports, labels of keys, counts of arrivals."""

import itertools
import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Greatest

from aggregates.db.locks import Lock, take
from aggregates.domain.calls import FIELDS
from aggregates.models import (
    ApiKey,
    ArrivalCount,
    CallReport,
    DayNote,
    FileChunk,
    FileImport,
    Invitation,
    Membership,
    Organization,
    SavedPreset,
    SavedView,
)
from aggregates.models.arrival import MAX_FILE, MAX_REASON
from aggregates.query import stored_selections

Rename = Callable[[Any], Any]
# Texts of people and files, in which the name may be a word among others; and texts by name, of which it is one.
TEXTS: tuple[tuple[type[Any], tuple[str, ...]], ...] = (
    (FileImport, ("name", "values", "details", "problem")),
    (SavedPreset, ("name", "values")),
    (SavedView, ("name", "parameters")),
    (DayNote, ("text",)),
    (ApiKey, ("name", "labels")),
)
LIMITED: tuple[type[Any], ...] = (Membership, Invitation, ApiKey)  # to names, each of them whole
USER, SUBJECT, LABELS = map(FIELDS.index, ("user_id", "subject_id", "labels"))


def replace_elsewhere(organization: Organization, name: str, new: str, *, apply: bool) -> Counter[str]:
    """Replace the name, or with `apply` false only look for it; how many rows of which table hold it."""
    word = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")

    def rename(value: Any) -> Any:
        match value:
            case str():
                return word.sub(lambda _: new, value)
            case dict():
                return {key: rename(each) for key, each in value.items()}
            case list():
                return [rename(each) for each in value]
        return value

    found = Counter[str]()
    with transaction.atomic():
        take(Lock.SAVED, organization.pk % 2**31)  # nobody else may take a name that is free
        for model, fields in TEXTS:
            found[model._meta.verbose_name_plural] += _in_texts(organization, model, fields, rename, apply=apply)
        for model in LIMITED:
            found[model._meta.verbose_name_plural] += _in_limits(organization, model, name, new, apply=apply)
        found["counts of arrivals"] += _in_arrivals(organization, rename, apply=apply)
        found["stored selections"] += stored_selections.forget_value(organization, name, apply=apply)
    found["reports of the last hour"] += _in_reports(organization, name, new, apply=apply)
    return +found


def waiting_files(organization: Organization) -> int:
    """Count files whose bytes are kept until they are imported or given up: nothing in them is replaced."""
    return FileChunk.objects.filter(file__organization=organization).values("file").distinct().count()


def _in_texts(
    organization: Organization, model: type[Any], fields: tuple[str, ...], rename: Rename, *, apply: bool
) -> int:
    changed = 0
    for row in model.objects.select_for_update().filter(organization=organization):
        after = {name: rename(getattr(row, name)) for name in fields}
        if after != {name: getattr(row, name) for name in fields}:
            changed += 1
            if apply:
                longest = {name: model._meta.get_field(name).max_length for name in fields}
                _write(row, {name: text[: longest[name]] if longest[name] else text for name, text in after.items()})
    return changed


def _in_limits(organization: Organization, model: type[Any], name: str, new: str, *, apply: bool) -> int:
    """Who was limited to the name sees the same usage under the new one."""
    changed = 0
    for row in model.objects.select_for_update().filter(organization=organization).exclude(limited_to={}):
        after = {
            dimension: [new if each == name and dimension == "user" else each for each in values]
            for dimension, values in row.limited_to.items()
        }
        if after != row.limited_to:
            changed += 1
            if apply:
                model.objects.filter(pk=row.pk).update(limited_to=after)
    return changed


def _write(row: Any, texts: dict[str, Any]) -> None:
    """Give a row its new texts. A note that is there already goes; a name that another one has gets a number."""
    rows = type(row).objects
    match row:
        case DayNote():
            same = rows.filter(organization=row.organization_id, first=row.first, **texts).exclude(pk=row.pk)
            if same.exists():
                rows.filter(pk=row.pk).delete()
                return
        case SavedView():
            others = rows.filter(organization=row.organization_id, owner=row.owner_id)
            texts["name"] = _free_name(texts["name"], others.exclude(pk=row.pk))
        case SavedPreset():
            others = rows.filter(organization=row.organization_id)
            texts["name"] = _free_name(texts["name"], others.exclude(pk=row.pk))
    rows.filter(pk=row.pk).update(**texts)


def _free_name(name: str, others: QuerySet[Any]) -> str:
    """Give the name, or where others have it, the first of “name 2”, “name 3”, … that none has."""
    longest = others.model._meta.get_field("name").max_length
    taken = set(others.values_list("name", flat=True))
    numbered = (f"{name[: longest - len(end)]}{end}" for end in (f" {number}" for number in itertools.count(2)))
    return next(each for each in itertools.chain([name], numbered) if each not in taken)


def _in_arrivals(organization: Organization, rename: Rename, *, apply: bool) -> int:
    """Counts that are then of the same reason are added up."""
    changed = 0
    counts = ArrivalCount.objects.filter(organization=organization)
    for count in counts.select_for_update():
        reason, file = rename(count.reason)[:MAX_REASON], rename(count.file)[:MAX_FILE] or count.file
        if (reason, file) == (count.reason, count.file):
            continue
        changed += 1
        if not apply:
            continue
        key = {"hour": count.hour, "api_key": count.api_key_id, "outcome": count.outcome}
        same = counts.filter(**key, reason=reason, file=file).exclude(pk=count.pk)
        if same.update(count=F("count") + count.count, last_at=Greatest("last_at", count.last_at)):
            counts.filter(pk=count.pk).delete()
        else:
            counts.filter(pk=count.pk).update(reason=reason, file=file)
    return changed


def _in_reports(organization: Organization, name: str, new: str, *, apply: bool) -> int:
    changed = 0
    reports = CallReport.objects.filter(organization=organization)
    for number, user, call in reports.values_list("pk", "user_id", "call").iterator():
        after = (new if user == name else user, _renamed_call(call, name, new))
        if after != (user, call):
            changed += 1
            if apply:
                reports.filter(pk=number).update(user_id=after[0], call=after[1])
    return changed


def _renamed_call(call: list[str | None] | None, name: str, new: str) -> list[str | None] | None:
    """The call of a report, as aggregates.ingest.reports.keeping writes it."""
    if call is None:
        return None
    after = [*call]
    for place in (USER, SUBJECT):
        if place < len(after) and after[place] == name:
            after[place] = new
    written = after[LABELS] if len(after) > LABELS else None
    labels = json.loads(written) if written else {}
    if name in labels.values():
        renamed = {key: new if text == name else text for key, text in labels.items()}
        after[LABELS] = json.dumps(renamed, ensure_ascii=False)
    return after
