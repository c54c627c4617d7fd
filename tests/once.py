"""What takes long to make and many tests begin with: made once a run, by the first of its processes to need it."""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

MakeOnce = Callable[[str, Callable[[Path], None]], Path]


@pytest.fixture(scope="session")
def make_once(tmp_path_factory: pytest.TempPathFactory) -> MakeOnce:
    """Has a folder of this name filled once, while others wait for it; whoever wants to change it takes a copy."""
    own = tmp_path_factory.getbasetemp()
    of_run = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own

    def make(name: str, fill: Callable[[Path], None]) -> Path:
        folder, new = of_run / name, of_run / f"{name}.new"
        with (of_run / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                shutil.rmtree(new, ignore_errors=True)  # of somebody who failed
                new.mkdir()
                fill(new)
                new.rename(folder)
        return folder

    return make
