"""What the bench ran on."""

import os
import platform
import re
from pathlib import Path

from django.db import connection


def described() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version'), current_setting('shared_buffers')")
        version, buffers = cursor.fetchone()
    memory = int(re.findall(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[0]) / 1024**2
    (model, *_) = re.findall(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text()) or [platform.machine()]
    return (
        f"{model}, {os.cpu_count()} cores, {memory:.0f} GB of memory, load {os.getloadavg()[1]:.1f}; "
        f"PostgreSQL {version} with {buffers} of shared buffers, Python {platform.python_version()}"
    )
