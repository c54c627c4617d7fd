"""While attackers hold on to more connections than there are threads, pages are answered and calls recorded."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import pytest
from django.db import connection

from aggregates.models import Organization, UsageLog
from tests.api.otlp.door import opened
from tests.patience import PATIENCE, wait_until
from tests.serving import serving
from tests.siege.attacks import ATTACKS, Attack, Siege, besieging
from tests.siege.scene import Scene, make_scene
from tests.siege.watching import Exporter, Visitor, dashboard, exporter, health, recorder

pytestmark = pytest.mark.slow
CLIENTS = 48
HEAVY = date(2025, 3, 1)  # of calls in requests that are taken
MANY = 32  # connections: twice as many as a web process has threads


@pytest.fixture(scope="module")
def scene(committed: None) -> Scene:
    return make_scene(days=3, calls=2_000)


@pytest.fixture(scope="module")
def port(scene: Scene) -> Iterator[int]:
    database = str(connection.settings_dict["NAME"])
    with serving(DJANGO_SETTINGS_MODULE="tests.process_settings", TEST_DATABASE=database) as port:
        yield port


@pytest.fixture(scope="module")
def grpc_port(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with opened(tmp_path_factory.mktemp("door") / "log") as door:
        yield door.port


@pytest.fixture
def visitors(port: int, grpc_port: int, scene: Scene) -> list[Visitor | Exporter]:
    web = (health(port), dashboard(port, scene), recorder(port, scene))
    return [*(replace(visitor, hang=PATIENCE) for visitor in web), replace(exporter(grpc_port, scene), hang=PATIENCE)]


@pytest.fixture
def attacked(port: int, grpc_port: int, attack: Attack) -> int:
    return grpc_port if attack.over_grpc else port


@pytest.mark.parametrize("attack", [attack for attack in ATTACKS if not attack.reads], ids=lambda attack: attack.name)
def test_others_are_answered_while_attackers_hold_on(
    attacked: int, visitors: list[Visitor | Exporter], scene: Scene, attack: Attack
) -> None:
    before = UsageLog.objects.count()
    with besieging(replace(attack, clients=CLIENTS), scene, attacked) as siege:
        wait_until(lambda: siege.held >= MANY, "the attackers hold on")
        for visitor in visitors:
            wait_until(lambda visitor=visitor: is_answered(visitor, siege), "it is answered while they hold on")
    assert UsageLog.objects.count() > before
    assert not of_attackers(), "nothing of the attackers is recorded"


def of_attackers() -> bool:
    others = UsageLog.objects.exclude(organization=Organization.objects.get(slug="acme"))
    return others.exclude(timestamp__date=HEAVY).exists()


def is_answered(visitor: Visitor | Exporter, siege: Siege) -> bool:
    """Ask once, and say whether the attackers were there before and after; raises where there is no answer."""
    held = siege.held >= MANY
    visitor.ask()
    return held and siege.held >= MANY


@pytest.mark.parametrize("attack", [attack for attack in ATTACKS if attack.reads], ids=lambda attack: attack.name)
def test_others_are_answered_while_some_ask_for_much(
    attacked: int, visitors: list[Visitor | Exporter], scene: Scene, attack: Attack
) -> None:
    with besieging(attack, scene, attacked) as siege:
        wait_until(lambda: siege.began >= attack.clients, "the attackers are there")
        for visitor in visitors:
            visitor.ask()
        taken = {"200", "OK"} if attack.records else siege.answers.keys()
        wait_until(lambda: bool(taken & siege.answers.keys()), "one of them is answered, and what records is taken")
    failed = {status for status in siege.answers if status.startswith("5") and status != "503"}
    assert not failed | ({"INTERNAL", "UNKNOWN"} & set(siege.answers))
