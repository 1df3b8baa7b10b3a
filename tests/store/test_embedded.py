"""The embedded MongoDB takes what the machine can spare, and no more."""

import os
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from fhir_server.store import EmbeddedMongod, memory

GIGABYTE = 1 << 30


def cache_bytes(mongod: EmbeddedMongod) -> int:
    """Returns the size of the cache that a running MongoDB says it has."""
    with MongoClient[dict[str, Any]](mongod.uri) as client:
        size: int = client.admin.command("serverStatus")["wiredTiger"]["cache"]["maximum bytes configured"]
        return size


@pytest.mark.parametrize(("memory_gb", "cache_gb"), [(0.5, 0.25), (8, 2.0), (64, 4.0)], ids=["small", "usual", "large"])
def test_the_cache_is_a_quarter_of_the_memory_within_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory_gb: float, cache_gb: float
) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text(f"{int(memory_gb * GIGABYTE)}\n")
    monkeypatch.setattr(memory, "_LIMITS", (limit,))
    monkeypatch.setattr(os, "sysconf", lambda name: GIGABYTE if name == "SC_PAGE_SIZE" else 100)
    with EmbeddedMongod(tmp_path / "data") as mongod:
        assert cache_bytes(mongod) == cache_gb * GIGABYTE


def test_a_size_that_is_given_is_taken(tmp_path: Path) -> None:
    with EmbeddedMongod(tmp_path / "data", cache_gb=0.5) as mongod:
        assert cache_bytes(mongod) == GIGABYTE // 2


def test_the_memory_is_that_of_the_machine_where_nothing_limits_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlimited = tmp_path / "memory.max"
    unlimited.write_text("max\n")
    monkeypatch.setattr(memory, "_LIMITS", (unlimited, tmp_path / "missing"))
    assert memory.memory_bytes() == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
