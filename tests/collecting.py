"""How processes of one run come to have all tests: each compiles its share of them, which the others then find."""

import gc
import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SELDOM = 50_000  # objects more than before, and not 700: a test makes more of them, and ends before they are in the way


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[object]:
    """Look for no garbage meanwhile, nor ever again among what stays: modules, and thousands of tests; and seldom
    among the rest, which takes a twentieth of what tests do."""
    gc.disable()
    import_share(session.config)
    collected = yield
    gc.freeze()
    gc.set_threshold(SELDOM, *gc.get_threshold()[1:])
    gc.enable()
    return collected


def import_share(config: pytest.Config) -> None:
    """Import every so manieth of the modules first: pytest keeps what it makes of their assertions."""
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if processes == 1 or sys.dont_write_bytecode:
        return
    number = int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw"))
    folders = [Path(config.invocation_params.dir, argument.split("::")[0]).resolve() for argument in config.args]
    for path in sorted({path for folder in folders for path in folder.rglob("test_*.py")})[number::processes]:
        try:
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        except Exception:
            continue  # is told when it is collected
