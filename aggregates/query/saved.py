"""What a page shows as parameters that are kept, and read again later, when some may no longer be valid."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from django.utils.datastructures import MultiValueDict

from aggregates.domain import ranges
from aggregates.models import Organization
from aggregates.query import stored_selections
from aggregates.query.addresses import DEFAULTS, flat, parameters_beside_range, range_parameters
from aggregates.query.forms.dashboard import PLACES, DashboardForm
from aggregates.query.selection import Selection

Parameters = dict[str, list[str]]
# One is nothing without the others.
OF_RANGE = frozenset({"range", "from", "to"})
OF_COMPARISON = frozenset({"compare_from", "compare_to"})
NOT_KEPT = ("view", "add", "value", "pick", "listed")


@dataclass(frozen=True)
class Restored:
    """A selection, and the names of parameters that it had to do without."""

    selection: Selection
    left_out: tuple[str, ...] = ()


def parameters_of(selection: Selection) -> Parameters:
    """Give the parameters that choose this selection again, whatever is chosen by default then."""
    chosen = {
        "range": ranges.DEFAULT,
        **DEFAULTS,
        **range_parameters(selection.range),
        **parameters_beside_range(replace(selection, view=None)),
        **stored_selections.parameters_of(selection.filters, selection.excluded),
    }
    chosen.pop("set", None)  # what filters that are too long for an address are called is forgotten some day
    found: Parameters = {}
    for name, value in flat(chosen):
        if value or name in PLACES or name == "hide":  # of a group, '' is a value
            found.setdefault(name, []).append(value)
    return found


def with_dates(selection: Selection) -> Selection:
    """Keep the days that it shows now, in place of a range that moves on."""
    shown = selection.range
    return replace(selection, range=ranges.of_days("custom", shown.first, shown.last, shown.zone))


def restore(parameters: Mapping[str, Iterable[str]], organization: Organization, now: datetime) -> Restored:
    """Read kept parameters; those that no longer exist, or no longer fit, are left out."""
    data = MultiValueDict({name: [*values] for name, values in parameters.items()})
    form = DashboardForm(data, organization=organization, now=now, most_values=stored_selections.MAX_PAIRS)
    wrong = {*form.errors, *(name for name in data if name not in form.fields or name in NOT_KEPT)}
    for together in (OF_RANGE, OF_COMPARISON):
        wrong |= together if wrong & together else frozenset()
    left_out = tuple(name for name in data if name in wrong)
    if left_out:
        valid = MultiValueDict({name: values for name, values in data.lists() if name not in wrong})
        form = DashboardForm(valid, organization=organization, now=now, most_values=stored_selections.MAX_PAIRS)
    return Restored(form.selection, left_out)
