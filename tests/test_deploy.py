"""What deploy/ says is what the Procfile, the settings and their documentation say."""

import configparser
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.processes import BASE

DEPLOY = BASE / "deploy"
DOCUMENTED = set(re.findall(r"^\| `([A-Z_]+)` \|", (BASE / "docs/settings.md").read_text(), re.MULTILINE))
OF_OTHERS = {"PYTHONUNBUFFERED"}
PROGRAMS = ("web", "grpc", "cluster")
SECRET = "only a test knows this secret, it guards nothing"
MINE = {"SITE_HOST": "usage.example.com", "SECRET_KEY": SECRET, "POSTGRES_PASSWORD": "correct-horse"}


def procfile() -> dict[str, str]:
    lines = (line.partition(": ") for line in (BASE / "Procfile").read_text().splitlines())
    return {name: command.removeprefix("unset PORT; ").removeprefix("exec ") for name, _, command in lines}


def compose() -> Any:
    """The compose file, its variables filled in from what one has to set."""
    text = (DEPLOY / "compose.yaml").read_text()
    return yaml.safe_load(
        re.sub(r"\$\{(\w+)(?::-([^}]*)|:\?[^}]*)?\}", lambda found: MINE.get(found[1], found[2] or ""), text)
    )


def unit(name: str) -> configparser.ConfigParser:
    """A unit with what all have in common, as systemd reads them."""
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    folder = DEPLOY / "systemd"
    read = parser.read([folder / f"usage-{name}.service", folder / "usage-.service.d/all.conf"])
    assert len(read) == 2
    return parser


def environment_file() -> dict[str, str]:
    lines = (line.partition("=") for line in (DEPLOY / "environment").read_text().splitlines())
    return {name: value for name, _, value in lines if not name.startswith("#")}


def dockerfile(instruction: str) -> list[str]:
    """What follows each of these instructions, and each environment variable of ENV."""
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
    return re.findall(rf"^{instruction} (.*)$", text, re.MULTILINE)


def of_image() -> dict[str, str]:
    return dict(pair.split("=", 1) for line in dockerfile("ENV") for pair in line.split())


def of_units() -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in unit("web")["Service"]["Environment"].split()) | environment_file()


def of_compose() -> dict[str, str]:
    return {name: str(value or "") for name, value in compose()["services"]["web"]["environment"].items()}


def read_settings(data: Path, environment: dict[str, str], *names: str) -> list[str]:
    """Let the settings read these variables and no others; what they make of some of them."""
    plain = {name: value for name, value in os.environ.items() if name not in DOCUMENTED}
    ask = f"import usagesite.settings as s; print(*(getattr(s, name) for name in {names}))"
    answer = subprocess.run(
        [sys.executable, "-c", ask],
        cwd=BASE,
        env=plain | environment | {"USAGESITE_DATA": str(data)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.split()


@pytest.mark.parametrize("name", PROGRAMS)
def test_everywhere_the_commands_are_those_of_the_procfile(name: str) -> None:
    command = procfile()[name]
    assert shlex.join(compose()["services"][name]["command"]) == command
    assert unit(name)["Service"]["ExecStart"] == f"/opt/usage/.venv/bin/{command}"
    for document in ("README.md", "docs/operations.md"):
        assert command in (BASE / document).read_text(), document


def test_the_image_runs_the_site_unless_told_otherwise() -> None:
    assert dockerfile("CMD") == [str(shlex.split(procfile()["web"])).replace("'", '"')]
    assert set(procfile()) == set(PROGRAMS)


def test_every_setting_is_documented_and_no_other() -> None:
    source = (BASE / "usagesite/settings.py").read_text()
    read = set(re.findall(r"(?:env\.\w+|memory\.name_folder)\(\s*\"([A-Z_]+)\"", source))
    assert len(read) > 20
    assert read == DOCUMENTED


@pytest.mark.parametrize("where", [of_image, of_units, of_compose])
def test_variables_that_are_set_are_settings(where: Any) -> None:
    assert set(where()) - OF_OTHERS <= DOCUMENTED


def test_compose_asks_for_nothing_that_the_manual_does_not_name() -> None:
    manual = (BASE / "docs/operations.md").read_text()
    needed = re.findall(r"\$\{(\w+):\?", (DEPLOY / "compose.yaml").read_text())
    assert set(needed) == set(MINE)
    assert [name for name in needed if f"{name}=" not in manual] == []


def test_the_settings_take_what_compose_and_the_image_set(tmp_path: Path) -> None:
    names = ("BIND", "PORT", "OTLP_GRPC_PORT", "HTTPS", "TRUSTED_PROXIES", "STOP_SECONDS", "WEB_CONCURRENCY")
    read = read_settings(tmp_path, of_image() | of_compose(), *names)
    assert read == ["0.0.0.0", "8000", "4317", "True", "1", "20", "2"]  # noqa: S104 (in a container)
    proxy = compose()["services"]["proxy"]
    assert (proxy["environment"]["WEB"], proxy["environment"]["GRPC"]) == ("web:8000", "grpc:4317")
    assert dockerfile("EXPOSE") == ["8000 4317"]
    assert "http://127.0.0.1:8000/healthz" in compose()["services"]["web"]["healthcheck"]["test"][-1]


def test_only_the_proxy_is_reached_from_outside() -> None:
    services = compose()["services"]
    assert {name: service["ports"] for name, service in services.items() if "ports" in service} == {
        "proxy": ["80:80", "443:443", "4317:4317"]
    }


def test_the_settings_take_what_the_units_set_and_the_proxies_ask_there(tmp_path: Path) -> None:
    names = ("BIND", "PORT", "OTLP_GRPC_PORT", "HTTPS", "TRUSTED_PROXIES", "STOP_SECONDS")
    address, web, grpc, *rest = read_settings(tmp_path, of_units() | {"SECRET_KEY": SECRET}, *names)
    assert (address, rest) == ("127.0.0.1", ["True", "1", "20"])
    caddy, nginx = ((DEPLOY / name).read_text() for name in ("Caddyfile", "nginx.conf"))
    assert re.findall(r"127\.0\.0\.1:(\d+)", caddy) == [web, grpc]
    assert re.findall(r"127\.0\.0\.1:(\d+)", nginx) == [web, grpc]


def test_a_file_that_may_be_imported_passes_the_proxy(tmp_path: Path) -> None:
    (largest,) = map(int, read_settings(tmp_path, {}, "IMPORT_MAX_MB"))
    (allowed, of_calls) = map(int, re.findall(r"client_max_body_size (\d+)m;", (DEPLOY / "nginx.conf").read_text()))
    assert largest < allowed <= largest + 1
    assert of_calls == 10


@pytest.mark.parametrize("name", PROGRAMS)
def test_who_runs_the_processes_waits_until_they_have_stopped(name: str) -> None:
    service = unit(name)["Service"]
    assert int(service["TimeoutStopSec"]) > int(of_units()["STOP_SECONDS"])
    assert (service["KillMode"], service["KillSignal"], service["Restart"]) == ("mixed", "SIGTERM", "always")
    grace = int(compose()["services"][name]["stop_grace_period"].removesuffix("s"))
    assert grace > int(of_compose()["STOP_SECONDS"])


def test_the_image_holds_all_that_the_site_needs(tmp_path: Path) -> None:
    """The Dockerfile's steps in a folder: what it copies, and what it runs on that."""
    site = tmp_path / "site"
    site.mkdir()
    kept = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    for line in dockerfile("COPY"):
        *sources, target = line.split()
        if sources[0].startswith("--from=plotly"):
            (site / "node_modules").symlink_to(BASE / "node_modules")
            continue
        for source in sources:
            assert f"!{source}" in kept
            if (BASE / source).is_dir():
                shutil.copytree(BASE / source, site / target, ignore=shutil.ignore_patterns("__pycache__"))
            elif target == "./" and not source.endswith(".json"):
                shutil.copy(BASE / source, site)
    (collect,) = re.findall(r"&& (SECRET_KEY=\S+) python (manage\.py [\w -]+\w) ", dockerfile("RUN")[-1])
    plain = {name: value for name, value in os.environ.items() if name not in DOCUMENTED | {"DJANGO_SETTINGS_MODULE"}}
    ours = plain | of_image() | {"USAGESITE_DATA": str(site / "var")}

    def run(*command: str, **environment: str) -> None:
        ran = subprocess.run(
            [sys.executable, *command], cwd=site, env=ours | environment, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stderr

    run(*collect[1].split(), **dict([collect[0].split("=", 1)]))
    assert (site / "var/static/staticfiles.json").exists()
    assert sorted(path.name for path in (site / "var").iterdir()) == ["static"]  # no secret, no database
    run("-m", *procfile()["web"].split(), "--check-config", **of_compose())
    run("-c", "import usagesite.otlp, usagesite.cluster", **of_compose())
