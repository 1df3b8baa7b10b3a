"""HL7's official R4 examples go in and come out equal, digit for digit."""

import asyncio
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import Client

SUITE = Path(__file__).parents[3] / "shared" / "reference" / "suites" / "r4-examples"
BATCH = 32

pytestmark = pytest.mark.skipif(not SUITE.exists(), reason="the official examples are not beside this checkout")


def examples() -> Iterator[tuple[str, bytes]]:
    """Yields name and text of each valid official example."""
    invalid = (SUITE / "known-invalid.txt").read_text().split()
    with tarfile.open(SUITE / "examples.tar.xz") as archive:
        for member in archive:
            name = Path(member.name).name
            if member.isfile() and name.endswith(".json") and name not in invalid and member.name not in invalid:
                file = archive.extractfile(member)
                assert file is not None
                yield name, file.read()


def lexical(text: bytes) -> dict[str, Any]:
    """Returns JSON with each number as the text it was written as."""
    content: dict[str, Any] = json.loads(text, parse_float=lambda digits: ["number", digits])
    return content


def without_stamp(resource: dict[str, Any]) -> dict[str, Any]:
    """Returns the resource without what the server writes into `meta`."""
    meta = {name: value for name, value in resource.get("meta", {}).items() if name not in ("versionId", "lastUpdated")}
    rest = {name: value for name, value in resource.items() if name != "meta"}
    return rest | ({"meta": meta} if meta else {})


async def round_trip(client: Client, name: str, text: bytes) -> str | None:
    """Returns None, or what went wrong with this example."""
    sent = lexical(text)
    path = f"{sent['resourceType']}/{sent['id']}"
    answer = await client.put(path, content=text)
    if answer.status_code not in (200, 201):
        return f"{name}: {answer.status_code} {answer.text[:400]}"
    read = await client.get(path)
    if without_stamp(lexical(read.content)) != without_stamp(sent):
        return f"{name}: comes out unlike it went in"
    return None


async def test_712_examples_come_out_as_they_went_in(client: Client) -> None:
    found = list(examples())
    assert len(found) == 712
    wrong: list[str | None] = []
    for start in range(0, len(found), BATCH):
        batch = found[start : start + BATCH]
        wrong += await asyncio.gather(*(round_trip(client, name, text) for name, text in batch))
    assert [line for line in wrong if line] == []
