"""Run a command of manage.py, and then print the kB of memory that the process had at its peak (on Linux)."""

import re
import sys
from pathlib import Path

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    execute_from_command_line(["manage.py", *sys.argv[1:]])
    status = Path("/proc/self/status").read_text()
    print(re.findall(r"VmHWM:\s+(\d+) kB", status)[0])
