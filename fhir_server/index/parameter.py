"""One search parameter of one resource type, as the type modules need it.

https://hl7.org/fhir/R4/searchparameter.html
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from datetime import tzinfo

    from fhir_server.index.concepts import Concepts
    from fhir_server.index.expressions import Alternative

_URIS = frozenset({"uri", "url", "canonical", "oid", "uuid"})
_EXTENSION = frozenset({"Extension"})
INDEXABLE: Mapping[str, frozenset[str]] = {
    "number": _EXTENSION | {"integer", "positiveInt", "unsignedInt", "decimal", "Range"},
    "date": _EXTENSION | {"date", "dateTime", "instant", "Period", "Timing"},
    "string": _EXTENSION | {"string", "markdown", "HumanName", "Address"},
    "token": _EXTENSION
    | _URIS
    | {"code", "boolean", "id", "string", "Coding", "CodeableConcept", "Identifier", "ContactPoint"},
    "reference": _EXTENSION | {"Reference", "canonical", "uri"},
    "quantity": _EXTENSION
    | {
        "Quantity",
        "SimpleQuantity",
        "Age",
        "Duration",
        "Count",
        "Distance",
        "Money",
        "MoneyQuantity",
        "Range",
        "SampledData",
    },
    "uri": _EXTENSION | _URIS,
}
"""Search parameter type → FHIR types that an added parameter is indexed from; of an extension, its value."""

DEFAULT_ZONE = ZoneInfo("Europe/Paris")


@dataclass(frozen=True, slots=True)
class Home:
    """Where the values of a parameter are indexed: under `code`; with `target`, only references to that type count.

    `is_compact` says that fewer keys are kept of tokens and quantities, because many stand in one resource.
    """

    code: str
    target: str | None = None
    is_compact: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a composite parameter at one place: the parameter that holds its values, and where they stand.

    `leaves` are the JSON keys and FHIR types of the values, `path` the keys that lead to them from the repetition, or
    from the resource where `is_outer`: then the value is the same for all repetitions. `only` are JSON keys of the
    resource, one of which is there where the value is of the part's type; empty where all values of the parameter are.
    """

    parameter: SearchParameter
    path: tuple[str, ...]
    leaves: tuple[tuple[str, str], ...]
    is_outer: bool = False
    only: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Repetition:
    """Where the parts of a composite parameter stand together: in each element at `base`, or in the resource itself
    where that is empty.
    """

    base: tuple[str, ...]
    parts: tuple[Part, ...]

    @property
    def name(self) -> str:
        """The name that its tuples have in the index document."""
        return "-".join(self.base)


@dataclass(frozen=True, slots=True, eq=False)
class SearchParameter:
    """One search parameter of one resource type; the registry has each once, so equal means the same object.

    `homes` are the codes its values are indexed under: its own, or those of the parameters it is made of
    (`combo-code` is read from `code` and `component-code`, `patient` from `subject`), which keeps the index small.
    `types` are the FHIR types it yields, `targets` the resource types a reference leads to, `systems` what the codes
    of a `code` element mean, `only` the one type that all branches of the expression ask of their targets,
    `repetitions` the places of a composite parameter. `is_added` tells those that are not R4's: their expressions are
    not known to fit all that is valid.
    """

    code: str
    type: str
    url: str
    resource_type: str
    expression: str
    alternatives: tuple[Alternative, ...]
    homes: tuple[Home, ...]
    types: frozenset[str]
    targets: tuple[str, ...] = ()
    systems: frozenset[str] = frozenset()
    only: str | None = None
    repetitions: tuple[Repetition, ...] = ()
    is_added: bool = False

    @property
    def is_indexed(self) -> bool:
        """True where its values are written under its own code."""
        return len(self.homes) == 1 and self.homes[0].code == self.code and self.homes[0].target is None

    def __str__(self) -> str:
        return self.code


@dataclass(frozen=True, slots=True)
class ValueContext:
    """What index entries and search values are read with: zone of dates without one, base URLs of this server, and the
    terminology where one is at hand.

    `units` are the codes of units in which there are values, by the code that these are indexed under and the
    dimension, where that was looked up (`quantity.other_units`).
    """

    zone: tzinfo = DEFAULT_ZONE
    base_urls: tuple[str, ...] = ()
    concepts: Concepts | None = None
    units: Mapping[tuple[str, str], Collection[str]] = field(default_factory=dict)
