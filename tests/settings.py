"""The site's settings for its tests: a throw-away database server and a temporary data folder."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

PREFIX = "usagesite-tests-"
MEMORY, ROOM = Path("/dev/shm"), 4 * 1024**3  # bytes that must be free there: containers often have 64 MB


def use_memory() -> None:
    """Have temporary files of tests, and of processes that they start, in memory where there is room.

    Databases make and drop thousands of small files for partitions, which takes a file system on a disk longer than all
    that is done with their rows.
    """
    if "TMPDIR" in os.environ or not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < ROOM:
        return
    os.environ["TMPDIR"] = tempfile.tempdir = tempfile.mkdtemp(prefix=PREFIX, dir=MEMORY)
    Path(tempfile.tempdir).chmod(0o711)  # servers that run as a user of their own pass through
    atexit.register(shutil.rmtree, tempfile.tempdir, ignore_errors=True)


def make_data_folder() -> None:
    """Point USAGESITE_DATA at a new folder, whatever it was: a throw-away server deletes its folder."""
    ours = Path(tempfile.gettempdir())
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=MEMORY if ours.name.startswith(PREFIX) else ours))
    os.environ["USAGESITE_DATA"] = str(folder)
    atexit.register(clean_up, folder)


def clean_up(folder: Path) -> None:
    if not (folder / "postgres").exists():  # else the server deletes it all when it stops
        shutil.rmtree(folder, ignore_errors=True)


use_memory()
if not Path(os.environ.get("USAGESITE_DATA", "")).name.startswith(PREFIX):  # else we are a process of a test
    make_data_folder()
# Requests are counted in a folder that goes with that one: each of the processes that run tests has its own.
requests = Path(os.environ["USAGESITE_DATA"], f"usagesite-requests-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}")
if Path(os.environ.get("PROMETHEUS_MULTIPROC_DIR", requests)).parent == requests.parent:  # else a test says where
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(requests)

from usagesite import embedded  # noqa: E402
from usagesite.settings import *  # noqa: E402, F403
from usagesite.settings import DATA_DIR, STATIC_ROOT, STORAGES  # noqa: E402

if not os.environ.get("DATABASE_URL"):
    DATABASES = {"default": embedded.database(DATA_DIR, throwaway=True)}

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
STATIC_ROOT.mkdir(exist_ok=True)  # where WhiteNoise looks when the site starts
