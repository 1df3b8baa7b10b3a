"""Contained resources in the index document of the one that contains them, for chains that lead into it.

https://hl7.org/fhir/R4/search.html#contained

Their entries are those they would have alone, under codes that begin with the way to them: `medication#Medication#code`
for the code of a Medication that `medication` refers to. A key that is the way itself says that there is one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhir_server.index.entries import capped

if TYPE_CHECKING:
    from fhir_server.index.entries import Draft

MAX_DEPTH = 3
"""Most references from one contained resource to the next that are followed."""


def way_to(code: str, resource_type: str) -> str:
    """Returns how the codes of a contained resource begin, by the parameter that refers to it and its type."""
    return f"{code}#{resource_type}#"


def write_inside(draft: Draft, inner: Draft, way: str) -> None:
    """Adds the entries of a contained resource, under their way, to those of what refers to it."""
    draft.keys[way] = None
    draft.keys.update((capped(way + key), None) for key in inner.keys)
    for entries, added in (
        (draft.dates, inner.dates),
        (draft.numbers, inner.numbers),
        (draft.converted, inner.converted),
    ):
        entries.extend(_moved(entry, way) for entry in added)
    for code, texts in inner.checks.items():
        for text in texts:
            draft.check(way + code, text)


def _moved(entry: dict[str, Any], way: str) -> dict[str, Any]:
    return {**entry, "p": way + entry["p"]}
