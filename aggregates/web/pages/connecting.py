"""What the page “Connect” shows: how to connect a program, and the first call when it comes, with what it lacks."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.utils import timezone

from aggregates.db.limits import TimedOut
from aggregates.db.snapshot import snapshot
from aggregates.domain import days
from aggregates.models import ApiKey, Organization, UsageLog
from aggregates.pricing import Pricer
from aggregates.query.arrivals import Finding, read_arrivals
from aggregates.query.first_call import newest_call
from aggregates.web.pages.arrivals import EXPLAINED, PERIOD
from aggregates.web.pages.clients import CLIENTS, Client, filled_in
from aggregates.web.pages.dashboard import PATIENCE
from aggregates.web.pages.unpriced import why_not

NO_KEY = "YOUR_KEY"
LOOKS_FOR = timedelta(minutes=5)  # then a button does
LOOK_SECONDS = 2  # that a look may take, as there is one every few seconds
MOST_PROBLEMS = 3


@dataclass(frozen=True, slots=True)
class Lack:
    """What a call does not tell, and how its program would."""

    what: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """The newest call, the local day on which its bar stands, and what it lacks; or why there is none yet."""

    call: UsageLog | None
    day: date | None
    lacks: tuple[Lack, ...]
    no_price: str
    problems: tuple[tuple[str, Finding], ...]
    is_tried: bool  # somebody came with the key


def clients_for(site: str, key: str = NO_KEY) -> tuple[Client, ...]:
    """Give all kinds of programs, with this site's address and a key filled in."""
    now = f"{timezone.now():%Y-%m-%dT%H:%M:%SZ}"
    return tuple(filled_in(client, site.rstrip("/"), key, now) for client in CLIENTS)


def load(organization: Organization, key: ApiKey | None, client: Client) -> Arrived:
    """Look for the first call: of a key that was just made, or of all; a client says how it tells what is lacking."""
    call = _newest(organization, key)
    if call is None:
        return Arrived(None, None, (), "", _problems(organization, key), bool(key and key.last_used_at))
    day = days.date_of(call.timestamp, organization.time_zone)
    return Arrived(call, day, tuple(_lacks(call, client)), why_not(call, Pricer(organization)), (), True)


def _newest(organization: Organization, key: ApiKey | None) -> UsageLog | None:
    """Find the newest call; where that takes too long, as of a key of which nothing came, there is none yet."""
    try:
        with snapshot(LOOK_SECONDS):
            return newest_call(organization, key)
    except TimedOut:
        return None


def until(now: datetime) -> int:
    """Return the second, since 1970, after which the page no longer looks by itself."""
    return int((now + LOOKS_FOR).timestamp())


def _lacks(call: UsageLog, client: Client) -> list[Lack]:
    told = (("user", call.user_id), ("operation", call.operation), ("project", call.project))
    lacks = [Lack(f"no {name}", getattr(client, name)) for name, text in told if not text]
    if not call.input_tokens and not call.output_tokens and call.status == "ok":
        lacks.append(Lack("no tokens", "what your client or its instrumentation needs, to tell usage"))
    return lacks


def _problems(organization: Organization, key: ApiKey | None) -> tuple[tuple[str, Finding], ...]:
    """List why what came was not recorded, each with the title of what became of it."""
    sources = read_arrivals(organization, PERIOD, seconds=PATIENCE).sources
    found = (problem for each in sources if key is None or each.key == key for problem in each.problems)
    return tuple((EXPLAINED[each.outcome].title, each) for each, _ in zip(found, range(MOST_PROBLEMS), strict=False))
