"""Compartments: which parameters put a resource into one, and which resource belongs to which patient.

https://hl7.org/fhir/R4/compartmentdefinition.html, https://hl7.org/fhir/R4/compartmentdefinition-patient.html

A resource can stand in several compartments (an Observation *about* one patient, *performed by* another). Storage and
sharding need one: the patient it is about, else the first other patient the compartment's definition leads to. A Group
belongs to none, it is about many.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from fhir_server.spec.definitions import table
from fhir_server.spec.references import parse_reference

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_ABOUT = ("patient", "subject", "beneficiary", "candidate", "individual")
_OF_MANY = frozenset({"Group"})
_RESOLVE = ".where(resolve() is Patient)"


def patient_of(resource: dict[str, Any], base_urls: Sequence[str] = ()) -> str | None:
    """Returns the id of the patient whose compartment holds `resource`, a Patient's own id, or None.

    Looks at literal references that this server can hold: relative ones, and absolute ones below `base_urls`.
    """
    resource_type = resource["resourceType"]
    if resource_type == "Patient":
        return resource.get("id")
    for path in patient_paths(resource_type):
        if path[0] not in resource:
            continue
        for node in _walk(resource[path[0]], path[1:]):
            id_ = _patient_id(node, base_urls)
            if id_ is not None:
                return id_
    return None


@cache
def patient_paths(resource_type: str) -> tuple[tuple[str, ...], ...]:
    """Returns the elements that lead to the patient, what it is about first; empty outside the compartment."""
    paths: list[tuple[str, ...]] = []
    for code in () if resource_type in _OF_MANY else patient_parameters().get(resource_type, ()):
        for path in _paths_of(resource_type, code):
            if path not in paths:
                paths.append(path)
    return tuple(sorted(paths, key=lambda path: path[-1] not in _ABOUT or len(path) > 1))


def _paths_of(resource_type: str, code: str) -> Iterator[tuple[str, ...]]:
    for row in table("search_parameters"):
        if row["code"] == code and resource_type in row.get("base", ()):
            for alternative in row["expression"].split("|"):
                root, _, path = alternative.strip().removesuffix(_RESOLVE).partition(".")
                if root == resource_type:
                    yield tuple(path.split("."))


@cache
def compartments() -> Mapping[str, Mapping[str, Sequence[str]]]:
    """Returns, for each type that has compartments, the types that may be in one, and the parameters that put them in.

    A resource is in its own compartment. HL7's package holds an example of a Device compartment too, which is shorter.
    """
    found: dict[str, Mapping[str, Sequence[str]]] = {}
    for row in table("compartments"):
        known = found.get(row["code"], {})
        if len(row["resource"]) > len(known):
            found[row["code"]] = {row["code"]: (), **row["resource"]}
    return found


def patient_parameters() -> Mapping[str, Sequence[str]]:
    """Returns, for each type of the patient compartment, the search parameters that lead to the patient."""
    return compartments()["Patient"]


def _walk(node: Any, path: Sequence[str]) -> Iterator[Any]:
    if isinstance(node, list):
        for item in node:
            yield from _walk(item, path)
    elif not path:
        yield node
    elif isinstance(node, dict) and path[0] in node:
        yield from _walk(node[path[0]], path[1:])


def _patient_id(node: Any, base_urls: Sequence[str]) -> str | None:
    text = node.get("reference") if isinstance(node, dict) else None
    if not isinstance(text, str) or "Patient/" not in text:
        return None
    if text.startswith("Patient/") and "/" not in text[8:]:
        return text[8:]
    reference = parse_reference(text, base_urls)
    return reference.id_ if reference.is_local and reference.resource_type == "Patient" else None
