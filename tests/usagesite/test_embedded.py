"""The embedded server lives as long as its users do, whoever of them is killed, and keeps what it was told."""

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.patience import PATIENCE, wait_until
from tests.usagesite.conftest import BASE, Site, is_locked

STARTED = "SELECT pg_postmaster_start_time()"


def remember(site: Site) -> None:
    user = site.user()
    user.ask("CREATE TABLE kept (word text)")
    assert user.ask("INSERT INTO kept VALUES ('kept')") == "done"


def recall(site: Site) -> str:
    return site.user().ask("SELECT word FROM kept")


def test_settings_start_nothing_and_the_first_query_starts_it(empty_site: Site) -> None:
    site = empty_site
    user = site.user()
    assert not site.place.folder.exists()
    assert user.ask("SELECT current_database()") == "usagesite"
    assert site.is_running()


def test_users_that_start_at_once_share_one_server(empty_site: Site) -> None:
    site = empty_site
    users = [site.user() for _ in range(5)]
    for user in users:
        user.tell(STARTED)
    assert len({user.hear() for user in users}) == 1


def test_stops_after_its_last_user_and_keeps_the_data(site: Site) -> None:
    remember(site)
    first, second = site.users[0], site.user()
    second.ask("SELECT 1")
    postmaster = site.postmaster()
    first.end()
    assert second.ask("SELECT 1") == "1"
    second.end()
    site.wait_for_stop()
    with pytest.raises(ProcessLookupError):
        os.kill(postmaster, 0)
    assert recall(site) == "kept"


def test_one_command_after_another_finds_it_running(site: Site) -> None:
    in_time = False
    while not in_time:  # else the machine was too slow for what is shown here
        first, second = site.user(), site.user()
        started = first.ask(STARTED)
        ended = time.monotonic()
        first.kill()  # which takes less time than to end in order
        found = second.ask(STARTED)
        in_time = time.monotonic() - ended < 1  # second; the server lingers for two
        second.end()
    assert found == started


def test_stops_after_its_last_user_was_killed(site: Site) -> None:
    user = site.user()
    user.ask("SELECT 1")
    user.kill()
    site.wait_for_stop()


def test_runs_on_for_a_fork_whose_parent_has_ended(site: Site) -> None:
    user = site.user()
    started = user.ask(STARTED)
    user.tell("fork")
    user.process.wait(timeout=PATIENCE)
    time.sleep(3)
    assert user.ask(STARTED) == started


def test_a_killed_keeper_is_replaced_and_nobody_notices(site: Site) -> None:
    user = site.user()
    started = user.ask(STARTED)
    keeper = site.keeper()
    os.kill(keeper, signal.SIGKILL)
    newcomer = site.user()
    assert newcomer.ask(STARTED) == started
    assert user.ask(STARTED) == started
    assert site.keeper() != keeper
    user.end()
    newcomer.end()
    site.wait_for_stop()


def test_a_killed_postmaster_is_replaced_at_the_next_query(site: Site) -> None:
    remember(site)
    os.kill(site.postmaster(), signal.SIGKILL)
    wait_until(lambda: not is_locked(site.place.processes), "its processes have followed")
    assert site.users[0].ask("SELECT word FROM kept") == "kept"


def test_recovers_after_everything_was_killed_at_once(site: Site) -> None:
    remember(site)
    keeper, postmaster = site.keeper(), site.postmaster()
    for process in (site.users[0].process.pid, keeper, postmaster):
        os.kill(process, signal.SIGKILL)
    assert recall(site) == "kept"


def test_a_user_that_comes_while_it_stops_gets_a_new_one(site: Site) -> None:
    remember(site)
    newcomers = [site.user() for _ in range(2)]
    os.kill(site.keeper(), signal.SIGTERM)
    wait_until(lambda: not site.place.keeper.read_text(), "its keeper begins to stop it")  # until then it serves
    for user in newcomers:
        assert user.ask("SELECT word FROM kept") == "kept"


def test_a_half_made_cluster_is_made_anew(empty_site: Site) -> None:
    site = empty_site
    half = site.place.folder / "cluster.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    assert site.user().ask("SELECT 1") == "1"
    assert not half.exists()


def test_a_stale_pid_file_that_names_a_living_process_is_no_obstacle(site: Site) -> None:
    remember(site)
    site.stop()
    (site.place.cluster / "postmaster.pid").write_text(f"{os.getpid()}\n{site.place.cluster}\n")
    assert recall(site) == "kept"


def test_a_lost_socket_is_made_anew(site: Site) -> None:
    remember(site)
    site.place.socket.unlink()
    assert recall(site) == "kept"


def test_why_it_does_not_start_is_said_in_words(site: Site) -> None:
    remember(site)
    site.stop()
    (site.place.cluster / "PG_VERSION").write_text("9.6\n")
    answer = site.user().ask("SELECT 1")
    assert answer.startswith("OperationalError: The embedded PostgreSQL is not available. It did not start; its log, ")
    assert "initialized by PostgreSQL version 9.6" in answer


def test_a_refusal_of_a_running_server_is_an_error_at_once(site: Site) -> None:
    site.user().ask("ALTER ROLE postgres NOLOGIN")
    assert "not permitted to log in" in site.user().ask("SELECT 1")
    assert site.place.log.read_text().count("not permitted to log in") == 1, "it is not tried again"


@pytest.mark.parametrize("name", ["long" * 30, "a, b", "sp ace's"])
def test_any_name_of_the_data_folder_will_do(tmp_path: Path, name: str) -> None:
    site = Site(tmp_path / name)
    try:
        assert site.user().ask("SELECT 1") == "1"
        assert stat.S_IMODE(site.place.sockets.stat().st_mode) == 0o700
    finally:
        site.stop()


def test_only_the_server_and_its_owner_can_read_the_data(empty_site: Site) -> None:
    site = empty_site
    remember(site)
    assert stat.S_IMODE(site.place.cluster.stat().st_mode) == 0o700
    for folder in (site.place.folder, site.place.data.parent):
        assert not folder.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH)


def test_a_throwaway_server_takes_its_folder_with_it(site: Site) -> None:
    user = site.user(throwaway=True)
    assert user.ask("SHOW fsync") == "off"
    user.end()
    wait_until(lambda: not site.place.data.exists(), "the folder is deleted")


def test_with_database_url_nothing_is_embedded(site: Site, tmp_path: Path) -> None:
    remember(site)
    elsewhere = tmp_path / "elsewhere"
    address = f"postgresql://postgres@{quote(str(site.place.sockets), safe='')}/usagesite"
    query = "import django; django.setup(); from django.db import connection as c; q = c.cursor(); "
    query += "q.execute('SELECT word FROM kept'); print(c.settings_dict['ENGINE'], *q.fetchone())"
    answer = subprocess.run(
        [sys.executable, "-c", query],
        cwd=BASE,
        env=os.environ
        | {"DATABASE_URL": address, "USAGESITE_DATA": str(elsewhere), "DJANGO_SETTINGS_MODULE": "usagesite.settings"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout == "django.db.backends.postgresql kept\n"
    assert not (elsewhere / "postgres").exists()
