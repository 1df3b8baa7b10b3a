"""One code and all that its code system says of it. https://hl7.org/fhir/R4/codesystem.html#concept"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

CONCEPT_PROPERTIES = frozenset(
    {"http://hl7.org/fhir/concept-properties", "http://terminology.hl7.org/CodeSystem/concept-properties"}
)
INACTIVE_STATUSES = frozenset({"retired", "inactive", "withdrawn"})

_DISPLAY = {"system": "http://terminology.hl7.org/CodeSystem/designation-usage", "code": "display"}

# Properties that mean something by their codes alone; v3 has `subsumedBy`, and older systems `abstract`.
_ROLES = {
    "parent": "parent",
    "subsumedBy": "parent",
    "child": "child",
    "status": "status",
    "inactive": "inactive",
    "notSelectable": "notSelectable",
    "abstract": "notSelectable",
}


class PropertyValue(NamedTuple):
    """A value as FHIR writes it: the name of its element, such as `valueCode`, and what stands there."""

    element: str
    value: Any

    @property
    def text(self) -> str:
        """The value as filters compare it: a boolean as `true` or `false`, a Coding as its code."""
        if isinstance(self.value, bool):
            return "true" if self.value else "false"
        if isinstance(self.value, dict):
            return str(self.value.get("code", ""))
        return str(self.value)


class Designation(NamedTuple):
    """Another name of a code; `source` is the supplement that brings it, empty for the system itself.

    `language` is a BCP-47 tag or empty, `use` a Coding or None, `extensions` as FHIR writes them.
    """

    value: str
    language: str = ""
    use: dict[str, Any] | None = None
    source: str = ""
    extensions: Sequence[dict[str, Any]] = ()

    def build(self) -> dict[str, Any]:
        """Returns it as FHIR JSON."""
        built: dict[str, Any] = {"extension": list(self.extensions)} if self.extensions else {}
        if self.language:
            built["language"] = self.language
        if self.use:
            built["use"] = self.use
        return {**built, "value": self.value}


@dataclass(slots=True)
class Concept:
    """One code of a code system.

    `properties` are those that the system states, by code, without the hierarchy, which `parents` has; `extensions` as
    FHIR writes them. `is_abstract`: only groups others, is not for use in data. `is_inactive`: no longer for use;
    `status` says why, as the system words it, empty where it says nothing.
    """

    code: str
    display: str = ""
    definition: str = ""
    parents: list[str] = field(default_factory=list)
    properties: Mapping[str, Sequence[PropertyValue]] = field(default_factory=dict)
    designations: Sequence[Designation] = ()
    extensions: Sequence[dict[str, Any]] = ()
    status: str = ""
    is_inactive: bool = False
    is_abstract: bool = False

    def names(self) -> Iterator[str]:
        """Yields the display and all designations."""
        if self.display:
            yield self.display
        for designation in self.designations:
            yield designation.value


Roles = Mapping[str, str]
"""What properties of a system with codes of their own mean: its code to that of FHIR, such as `notSelectable`."""


def roles_of(header: Mapping[str, Any]) -> Roles:
    """Returns what the properties of a CodeSystem mean, by the URIs of FHIR's own properties."""
    roles = dict(_ROLES)
    for row in header.get("property", ()):
        base, _, role = row.get("uri", "").partition("#")
        if base in CONCEPT_PROPERTIES and role in _ROLES and "code" in row:
            roles[row["code"]] = _ROLES[role]
    return roles


def read_concept(entry: Mapping[str, Any], roles: Roles, source: str = "") -> tuple[Concept, list[str]]:
    """Returns an entry of `CodeSystem.concept`, and the codes that it names as its children by a property.

    `source` names the supplement that it comes from.
    """
    concept = Concept(
        entry["code"],
        entry.get("display", ""),
        entry.get("definition", ""),
        designations=tuple(read_designation(row, source) for row in entry.get("designation", ()) if "value" in row),
        extensions=entry.get("extension", ()),
    )
    properties: dict[str, list[PropertyValue]] = {}
    children: list[str] = []
    for row in entry.get("property", ()):
        element = next((key for key in row if key.startswith("value")), None)
        if element is None or "code" not in row:
            continue
        value = PropertyValue(element, row[element])
        match roles.get(row["code"]):
            case "parent":
                concept.parents.append(value.text)
                continue
            case "child":
                children.append(value.text)
                continue
            case "status":
                concept.status = value.text
                concept.is_inactive = concept.is_inactive or value.text in INACTIVE_STATUSES
            case "inactive":
                concept.is_inactive = concept.is_inactive or value.text == "true"
            case "notSelectable":
                concept.is_abstract = concept.is_abstract or value.text == "true"
        properties.setdefault(row["code"], []).append(value)
    if properties:
        concept.properties = properties
    return concept, children


def read_row(row: str | list[Any]) -> tuple[Concept, list[str], Sequence[Any]]:
    """Returns a concept of R4's tables, the codes that it names as its children, and the rows of those below it.

    A row is a code, or `[code, display, children, more]` shortened from the right; `more` has `notSelectable`, `status`,
    `child` (codes that stand elsewhere) and `names` (pairs of language and display).
    """
    if isinstance(row, str):
        return Concept(row), [], ()
    code, display, children, more = (*row, None, None, None)[:4]
    concept = Concept(code, display or "")
    if more:
        properties: dict[str, list[PropertyValue]] = {}
        if more.get("notSelectable"):
            concept.is_abstract = True
            properties["notSelectable"] = [PropertyValue("valueBoolean", True)]
        if status := more.get("status"):
            concept.status = status
            concept.is_inactive = status in INACTIVE_STATUSES
            properties["status"] = [PropertyValue("valueCode", status)]
        concept.properties = properties
        concept.designations = tuple(Designation(name, language, _DISPLAY) for language, name in more.get("names", ()))
    return concept, list(more.get("child", ())) if more else [], children or ()


def read_designation(row: Mapping[str, Any], source: str = "") -> Designation:
    """Returns an entry of `designation` of a CodeSystem or a ValueSet."""
    return Designation(row["value"], row.get("language", ""), row.get("use"), source, row.get("extension", ()))
