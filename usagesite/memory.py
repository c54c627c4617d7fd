"""A folder in memory for what processes of one site share while they run."""

import os
from hashlib import sha256
from pathlib import Path

PREFIX = "usagesite-"
SHARED = Path("/dev/shm")  # noqa: S108 (the folder within is ours alone, or is not taken)


def name_folder(name: str, data: Path) -> None:
    """Set a variable, where nobody else has set it, to a folder: one for each data folder, user, and container with
    process ids of its own. Without /dev/shm it is in the data folder."""
    if named := os.environ.get(name):
        # What a process of another site has named so, and handed down to this one, is not for us.
        is_of_another = Path(named).name.startswith(PREFIX) and not Path(named).is_relative_to(data)
        if not is_of_another:
            return
    where = f"{data} {os.geteuid()} {namespace()}"
    chosen = SHARED / f"{PREFIX}{sha256(where.encode()).hexdigest()[:16]}"
    os.environ[name] = str(chosen if can_be_ours(chosen) else data / f"{PREFIX}requests")


def can_be_ours(path: Path) -> bool:
    """Say whether we have this folder or can make it; another user of the machine may have been faster."""
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
    except OSError:
        return False
    return found.st_uid == os.geteuid() and found.st_mode & 0o077 == 0 and path.is_dir() and not path.is_symlink()


def namespace() -> int:
    """Tell apart those whose process ids are not the same."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0
