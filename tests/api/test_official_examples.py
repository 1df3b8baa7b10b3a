"""HL7's official R4 examples go in and come out equal, digit for digit, as JSON and as XML."""

import asyncio
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fhir_server.spec.json_format import decode, is_same_content
from fhir_server.spec.xml_format import decode_xml, encode_xml
from tests.api.conftest import Client

SUITE = Path(__file__).parents[3] / "shared" / "reference" / "suites" / "r4-examples"
BATCH = 32
XML = {"Content-Type": "application/fhir+xml", "Accept": "application/fhir+json"}

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


def without_stamp(resource: dict[str, Any]) -> dict[str, Any]:
    """Returns the resource without what the server writes into `meta`."""
    meta = {name: value for name, value in resource.get("meta", {}).items() if name not in ("versionId", "lastUpdated")}
    rest = {name: value for name, value in resource.items() if name != "meta"}
    return rest | ({"meta": meta} if meta else {})


async def round_trip(client: Client, name: str, text: bytes) -> str | None:
    """Returns None, or what went wrong with this example: in as JSON, out as JSON and XML, in as XML."""
    sent = decode(text)
    path = f"{sent['resourceType']}/{sent['id']}"
    as_json = await client.put(path, content=text)
    if as_json.status_code not in (200, 201):
        return f"{name}: {as_json.status_code} {as_json.text[:400]}"
    version = decode(as_json.content)
    read = await client.get(path, headers={"Accept": "application/fhir+xml"})
    if not is_same_content(decode_xml(read.content), version):
        return f"{name}: comes out as XML unlike as JSON"
    as_xml = await client.put(path, content=encode_xml(sent), headers=XML)
    if as_xml.status_code != 200 or decode(as_xml.content) != version:
        return f"{name}: goes in as XML unlike as JSON: {as_xml.status_code} {as_xml.text[:400]}"
    read = await client.get(path)
    if not is_same_content(without_stamp(decode(read.content)), without_stamp(sent)):
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
