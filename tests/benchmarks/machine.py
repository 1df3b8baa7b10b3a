"""What the figures were measured on."""

import os
import platform
from pathlib import Path

import pymongo


def describe_machine(mongodb_version: str, workers: int, connections: int) -> str:
    """Returns one line: processor, memory, versions, processes."""
    return (
        f"{describe_python()}, PyMongo {pymongo.version}, MongoDB {mongodb_version} on the same cores; "
        f"{connections} connections, {workers} server processes each"
    )


def describe_python() -> str:
    """Returns one line: processor, memory, load, Python."""
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{_processor()}, {os.cpu_count()} cores, {memory_gb:.0f} GB; load at start {load}; "
        f"Python {platform.python_version()}"
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return " ".join(line.partition(":")[2].split())
    return platform.machine()
