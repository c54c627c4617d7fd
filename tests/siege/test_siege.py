"""While attackers hold on to more connections than there are threads, pages are answered and calls recorded."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from django.db import connection

from aggregates.models import Organization, UsageLog
from tests.patience import PATIENCE, wait_until
from tests.serving import serving
from tests.siege.attacks import ATTACKS, Attack, Siege, besieging
from tests.siege.scene import Scene, make_scene
from tests.siege.watching import Visitor, dashboard, health, recorder

pytestmark = pytest.mark.slow
CLIENTS = 48
MANY = 32  # connections: twice as many as a web process has threads


@pytest.fixture(scope="module")
def scene(committed: None) -> Scene:
    return make_scene(days=3, calls=2_000)


@pytest.fixture(scope="module")
def port(scene: Scene) -> Iterator[int]:
    database = str(connection.settings_dict["NAME"])
    with serving(DJANGO_SETTINGS_MODULE="tests.process_settings", TEST_DATABASE=database) as port:
        yield port


def visitors(port: int, scene: Scene) -> list[Visitor]:
    asked = (health(port), dashboard(port, scene), recorder(port, scene))
    return [replace(visitor, hang=PATIENCE) for visitor in asked]


@pytest.mark.parametrize("attack", [attack for attack in ATTACKS if not attack.reads], ids=lambda attack: attack.name)
def test_others_are_answered_while_attackers_hold_on(port: int, scene: Scene, attack: Attack) -> None:
    before = UsageLog.objects.count()
    with besieging(replace(attack, clients=CLIENTS), scene, port) as siege:
        wait_until(lambda: siege.held >= MANY, "the attackers hold on")
        for visitor in visitors(port, scene):
            wait_until(lambda visitor=visitor: is_answered(visitor, siege), "it is answered while they hold on")
    acme = Organization.objects.get(slug="acme")
    assert UsageLog.objects.count() > before
    assert not UsageLog.objects.exclude(organization=acme).exists(), "nothing of the attackers is recorded"


def is_answered(visitor: Visitor, siege: Siege) -> bool:
    """Ask once, and say whether the attackers were there before and after; raises where there is no answer."""
    held = siege.held >= MANY
    visitor.ask()
    return held and siege.held >= MANY


@pytest.mark.parametrize("attack", [attack for attack in ATTACKS if attack.reads], ids=lambda attack: attack.name)
def test_others_are_answered_while_some_ask_for_much(port: int, scene: Scene, attack: Attack) -> None:
    with besieging(attack, scene, port) as siege:
        wait_until(lambda: siege.began >= attack.clients, "the attackers are there")
        for visitor in visitors(port, scene):
            visitor.ask()
        wait_until(lambda: bool(siege.answers), "one of them is answered")
    assert not {status for status in siege.answers if status.startswith("5") and status != "503"}
