"""How much memory this machine, or the container that we run in, has."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Where Linux says what a container may use: control groups of version 2, and of version 1; `max` is no limit."""


def memory_bytes() -> int:
    """Returns the memory that the processes here may use together, in bytes."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([whole, *(limit for path in _LIMITS if (limit := _limit(path)))])


def _limit(path: Path) -> int:
    with suppress(OSError, ValueError):
        return int(path.read_text())
    return 0
