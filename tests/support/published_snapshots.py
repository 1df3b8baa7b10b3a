"""Facts of snapshots, as published and as ours, in a form that can be compared.

`python -m tests.support.published_snapshots hl7.fhir.r4.core.tgz` writes those of R4's own profiles to
`tests/specification/r4_snapshots.json.gz`; where the package comes from, `fhir_server/spec/definitions/README.md` says.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).parents[1] / "specification" / "r4_snapshots.json.gz"
_PLAIN = ("path", "sliceName", "min", "max", "contentReference", "maxLength", "base")
_FLAGS = ("isModifier", "isSummary", "mustSupport")
_PIN = re.compile(r"(?<=[A-Za-z0-9])\|[0-9][0-9.]*$")
_ON_EVERY_ELEMENT = frozenset({"ele-1", "ext-1"})

Facts = dict[str, Any]


def published(package: Path) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yields (canonical, snapshot) of each profile of a package."""
    with tarfile.open(package) as archive:
        for member in archive:
            if re.fullmatch(r"package/StructureDefinition-[^/]+\.json", member.name):
                file = archive.extractfile(member)
                assert file is not None
                profile = json.load(file)
                if profile.get("derivation") == "constraint" and "snapshot" in profile:
                    yield profile["url"], profile["snapshot"]["element"]


def facts(elements: list[dict[str, Any]]) -> dict[str, Facts]:
    """Returns what each element of a snapshot says, by its id; prose, mappings and versions of canonicals aside."""
    return {element["id"]: _element_facts(element) for element in elements}


def differences(theirs: dict[str, Facts], ours: dict[str, Facts]) -> Iterator[tuple[str, str, Any, Any]]:
    """Yields (fact, element id, theirs, ours); the facts `element` and `order` are about the snapshot itself."""
    for id_ in [*theirs, *(id_ for id_ in ours if id_ not in theirs)]:
        if id_ not in theirs or id_ not in ours:
            yield "element", id_, id_ in theirs, id_ in ours
            continue
        for name in sorted(theirs[id_].keys() | ours[id_].keys()):
            if theirs[id_].get(name) != ours[id_].get(name):
                yield name, id_, theirs[id_].get(name), ours[id_].get(name)
    common = [id_ for id_ in theirs if id_ in ours]
    if common != [id_ for id_ in ours if id_ in theirs]:
        yield "order", "", common, list(ours)


def _element_facts(element: dict[str, Any]) -> Facts:
    found: Facts = {name: element[name] for name in _PLAIN if name in element}
    found |= {name: True for name in _FLAGS if element.get(name)}
    found |= {name: value for name, value in element.items() if re.match("fixed|pattern|minValue|maxValue", name)}
    if "type" in element:
        found["type"] = [_type(entry) for entry in element["type"]]
    if "valueSet" in element.get("binding", {}):
        found["binding"] = [element["binding"]["strength"], _unpinned(element["binding"]["valueSet"])]
    if "slicing" in element:
        slicing = element["slicing"]
        discriminators = [[one["type"], one["path"]] for one in slicing.get("discriminator", ())]
        found["slicing"] = [discriminators, slicing["rules"], bool(slicing.get("ordered"))]
    constraints = [
        [one["key"], one["severity"], one["expression"]]
        for one in element.get("constraint", ())
        if one["key"] not in _ON_EVERY_ELEMENT and "expression" in one
    ]
    if constraints:
        found["constraint"] = sorted(constraints)
    return found


def _type(entry: dict[str, Any]) -> list[Any]:
    code = entry["code"]
    for extension in entry.get("extension", ()):
        if extension["url"].endswith("structuredefinition-fhir-type"):
            code = extension.get("valueUrl", extension.get("valueUri"))
    profiles = [[_unpinned(one) for one in entry.get(name, ())] for name in ("profile", "targetProfile")]
    return [code, *profiles, entry.get("aggregation", []), entry.get("versioning", "")]


def _unpinned(canonical: str) -> str:
    """Leaves out the version, which publishers add to canonicals that the profile names without one."""
    return _PIN.sub("", canonical)


if __name__ == "__main__":
    table = {
        url: facts(elements)
        for url, elements in sorted(published(Path(sys.argv[1])))
        if "example.org" not in url  # kept out of the tables too
    }
    text = json.dumps(table, ensure_ascii=False, separators=(",", ":")).encode()
    with GOLDEN.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed:
        packed.write(text)
