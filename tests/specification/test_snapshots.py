"""Our snapshots against those that HL7 and Interop'Santé publish: every profile and extension of R4 and of FR Core.

What differs stands in `snapshot_differences.toml` with its reason; an entry that no longer differs fails the run.
"""

from __future__ import annotations

import gzip
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from fhir_server.conformance import DefinitionRegistry
from fhir_server.conformance.packages import PackageStore, open_source
from tests.support.packages import FR_CORE, needs_fr_core
from tests.support.published_snapshots import GOLDEN, Facts, differences, facts, published

DIFFERENCES = tomllib.loads((Path(__file__).parent / "snapshot_differences.toml").read_text(encoding="utf-8"))
Published = Callable[[], dict[str, dict[str, Facts]]]


@cache
def r4() -> dict[str, dict[str, Facts]]:
    found: dict[str, dict[str, Facts]] = json.loads(gzip.decompress(GOLDEN.read_bytes()))
    return found


@cache
def fr_core() -> dict[str, dict[str, Facts]]:
    return {url: facts(elements) for url, elements in published(FR_CORE)}


def unexplained(
    suite: str, theirs: dict[str, dict[str, Facts]], registry: DefinitionRegistry
) -> Iterator[tuple[str, ...]]:
    """Yields what differs without a reason, and reasons for what does not differ."""
    unused = {entry["reason"]: entry for entry in DIFFERENCES[suite]}
    for url, snapshot in theirs.items():
        for fact, id_, their, our in differences(snapshot, facts(registry.snapshot(url))):
            reasons = [entry["reason"] for entry in DIFFERENCES[suite] if _explains(entry, url, fact, id_, their, our)]
            for reason in reasons:
                unused.pop(reason, None)
            if not reasons:
                yield url, fact, id_, str(their), str(our)
    for reason in unused:
        yield "unused", reason


def _explains(entry: dict[str, Any], url: str, fact: str, id_: str, their: Any, our: Any) -> bool:
    return (
        fact in entry["facts"]
        and re.search(entry.get("profile", ""), url) is not None
        and re.fullmatch(entry["elements"], id_) is not None
        and entry.get("theirs", their) == their
        and entry.get("ours", our) == our
    )


def test_snapshots_of_r4s_profiles_are_those_of_hl7() -> None:
    assert len(r4()) == 439
    assert list(unexplained("r4", r4(), DefinitionRegistry())) == []


@needs_fr_core
def test_snapshots_of_fr_core_are_those_of_the_guide(tmp_path: Path) -> None:
    store = PackageStore(tmp_path)
    store.install(open_source(FR_CORE))
    assert len(fr_core()) == 64
    assert list(unexplained("fr-core", fr_core(), DefinitionRegistry(packages=store.installed()))) == []


@pytest.mark.parametrize("kind", ["element", "min", "order"])
def test_comparison_sees(kind: str) -> None:
    theirs = facts([{"id": id_, "path": id_, "min": 0} for id_ in ("Patient", "Patient.a", "Patient.b")])
    ours = {**theirs}
    if kind == "element":
        del ours["Patient.a"]
    elif kind == "min":
        ours["Patient.a"] = {**ours["Patient.a"], "min": 1}
    else:
        ours = dict(reversed(ours.items()))
    assert [fact for fact, *_ in differences(theirs, ours)] == [kind]
