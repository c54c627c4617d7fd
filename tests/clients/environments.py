"""Environments of their own for client libraries, which need other versions of packages than the site does."""

import fcntl
import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from tests.clients.catalogue import Client

HERE = Path(__file__).parent
KEPT_IN = Path(sys.prefix) / "clients"


def python_of(name: str) -> Path:
    """A Python with the packages of requirements-NAME.txt; they are installed when they were not, or others were."""
    requirements, folder = HERE / f"requirements-{name}.txt", KEPT_IN / name
    wanted, installed = sha256(requirements.read_bytes()).hexdigest(), folder / "installed"
    KEPT_IN.mkdir(exist_ok=True)
    with (KEPT_IN / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not installed.exists() or installed.read_text() != wanted:
            _install(requirements, folder)
            installed.write_text(wanted)
    return folder / "bin" / "python"


def command_of(client: Client) -> list[str]:
    """What runs the client's programs."""
    return [str(python_of(client.requirements))]


def versions_of(client: Client) -> str:
    """The versions of its packages that are told, as they are pinned."""
    pinned = dict(
        re.findall(r"^([\w.-]+)==(\S+)", (HERE / f"requirements-{client.requirements}.txt").read_text(), re.M)
    )
    return ", ".join(f"{name} {pinned[name]}" for name in client.packages)


def _install(requirements: Path, folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(folder / "bin" / "python")]
    for command in (
        [sys.executable, "-m", "venv", "--clear", "--without-pip", str(folder)],
        [*pip, "install", "--quiet", "--requirement", str(requirements)],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.fail(f"{requirements.name} cannot be installed: {done.stderr}", pytrace=False)
