"""A package's definitions in one file: an index that start-up reads, and behind it what is read when first asked for.

| Bytes | Content |
|---|---|
| 8 | `FORMAT` |
| 8 | length of the index, big-endian |
| … | the index: a MessagePack array of `Entry` |
| … | one definition after the other, each JSON packed by zlib, at the places that the index names |

Left out: narrative, and the snapshot of a profile, which is computed from its differential as for our own.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from fhir_server.spec import json_format

FORMAT = b"fhirpkg1"
"""Changes with what is written here, so that files of another version of this server are made anew."""
_HEAD = len(FORMAT) + 8
DEFINITIONS = frozenset(
    {
        *("StructureDefinition", "ValueSet", "CodeSystem", "ConceptMap", "NamingSystem", "SearchParameter"),
        *("OperationDefinition", "CapabilityStatement", "ImplementationGuide", "CompartmentDefinition"),
        *("Questionnaire", "Library", "Measure", "ActivityDefinition", "PlanDefinition", "StructureMap"),
        *("GraphDefinition", "MessageDefinition", "ExampleScenario", "TerminologyCapabilities"),
    }
)
"""Types whose resources define something; any other resource in a package is an instance, and is not loaded."""


class Entry(msgspec.Struct, array_like=True, frozen=True):
    """What the index says of one definition; `type` is that of a StructureDefinition, `base` what it derives from."""

    resource_type: str
    url: str
    version: str
    offset: int
    size: int
    id: str = ""
    kind: str = ""
    type: str = ""
    derivation: str = ""
    base: str = ""
    supplements: str = ""


_index_decoder = msgspec.msgpack.Decoder(list[Entry])


def compile_definitions(resources: Iterable[dict[str, Any]]) -> bytes:
    """Returns the file of a package's definitions, in their order; resources that define nothing are left aside."""
    entries: list[Entry] = []
    blocks: list[bytes] = []
    offset = 0
    for resource in resources:
        if resource.get("resourceType") not in DEFINITIONS:
            continue
        block = zlib.compress(json_format.encode(_shortened(resource)), 6)
        entries.append(_entry(resource, offset, len(block)))
        blocks.append(block)
        offset += len(block)
    index = msgspec.msgpack.encode(entries)
    return b"".join((FORMAT, len(index).to_bytes(8, "big"), index, *blocks))


def _shortened(resource: dict[str, Any]) -> dict[str, Any]:
    left_out = {"text"}
    if resource.get("derivation") == "constraint" and resource.get("differential"):
        left_out.add("snapshot")
    return {key: value for key, value in resource.items() if key not in left_out}


def _entry(resource: dict[str, Any], offset: int, size: int) -> Entry:
    def said(key: str) -> str:
        value = resource.get(key)
        return value if isinstance(value, str) else ""

    return Entry(
        resource["resourceType"],
        said("url"),
        said("version"),
        offset,
        size,
        *(said(key) for key in ("id", "kind", "type", "derivation", "baseDefinition", "supplements")),
    )


class CompiledFile:
    """One such file, opened for its index; definitions are read from it one by one."""

    def __init__(self, path: Path) -> None:
        """Raises ValueError for a file of another format or a damaged index, OSError for one that cannot be read."""
        self.path = path
        with path.open("rb") as file:
            head = file.read(_HEAD)
            if head[: len(FORMAT)] != FORMAT:
                raise ValueError(f"{path} is not in format {FORMAT.decode()}.")
            size = int.from_bytes(head[len(FORMAT) :], "big")
            self._start = _HEAD + size
            packed_index = file.read(size)
        try:
            self.entries = _index_decoder.decode(packed_index)
        except msgspec.DecodeError as error:
            raise ValueError(f"{path}: {error}") from None

    def read(self, entry: Entry) -> dict[str, Any]:
        """Returns a definition of the index, decimals kept."""
        with self.path.open("rb") as file:
            file.seek(self._start + entry.offset)
            return json_format.decode_trusted(zlib.decompress(file.read(entry.size)))
