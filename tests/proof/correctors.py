"""Those who correct: they delete and re-price calls, and now and then an organization moves to another time zone."""

import random
import time
from datetime import timedelta
from decimal import Decimal

from aggregates.db.locks import Busy
from aggregates.domain import days
from aggregates.domain.calls import InvalidCall
from aggregates.ingest import record
from aggregates.ingest.correcting import Correction, Criteria, Delete, Unprice, correct
from aggregates.models import Organization
from aggregates.models.price import PRICE_PLACES, PRICES
from aggregates.pricing.rates import Prices
from aggregates.rollup.recutting import CannotRecut, change_time_zone
from tests.proof import plain
from tests.proof.scene import VALUES, ZONES, Scene
from tests.proof.tally import Tally
from tests.proof.writers import await_burst, batch


def amend(scene: Scene, chance: random.Random, tally: Tally) -> None:
    """One correction, and seldom a change of zone: often until there was one, as later kept days may be in its way."""
    await_burst()
    organization = Organization.objects.get(pk=chance.choice(scene.organizations).pk)
    kind = chance.random()
    if kind < (0.04 if tally.did["changes of time zone"] else 0.2):
        move(organization, chance, tally)
    elif kind < 0.5:
        record_and_delete(scene, organization, chance, tally)
    else:
        price_anew(scene, organization, chance, tally)
    time.sleep(chance.random() * 0.2)


def record_and_delete(scene: Scene, organization: Organization, chance: random.Random, tally: Tally) -> None:
    """Calls that nobody else sends: none of them may be left."""
    calls = [call._replace(request_id=f"deleted-{call.request_id}") for call in batch(scene, organization, chance)]
    try:
        record(organization, calls)
    except InvalidCall:
        tally.count("batches refused because of a kept day")
        return
    time.sleep(chance.random() * 0.2)  # so that some are rolled up before they go
    criteria = Criteria(request_ids=tuple(call.request_id for call in calls))
    tally.count("calls deleted", correct(organization, criteria, Delete()).total.calls)
    left = plain.left(list(criteria.request_ids))  # of days that became kept meanwhile
    scene.acknowledge(organization, [call for call in calls if call.request_id in left])


def price_anew(scene: Scene, organization: Organization, chance: random.Random, tally: Tally) -> None:
    last = days.date_of(scene.clock.now(), organization.time_zone)
    criteria = Criteria(
        first=last - timedelta(days=chance.randrange(4)),
        last=last,
        filters=(("model", chance.choice(VALUES["model"])),),
    )
    prices = Prices(**{kind: Decimal(chance.randrange(10**8)).scaleb(-PRICE_PLACES) for kind in PRICES})
    correction: Correction = chance.choice((Unprice(), prices, prices))
    tally.count("calls priced anew", correct(organization, criteria, correction).total.calls)


def move(organization: Organization, chance: random.Random, tally: Tally) -> None:
    try:
        change_time_zone(organization, chance.choice([zone for zone in ZONES if zone != organization.time_zone]))
    except Busy:
        tally.count("changes of time zone that had to wait")
    except CannotRecut:
        tally.count("changes of time zone refused because of a kept day")
    else:
        tally.count("changes of time zone")
