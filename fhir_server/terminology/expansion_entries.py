"""One code of an expansion as FHIR JSON, with its names and properties.

https://hl7.org/fhir/R4/valueset-definitions.html#ValueSet.expansion.contains

Properties of codes are elements of R5; R4 carries them in the extensions that stand for these.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from fhir_server.terminology.code_systems import Designation, PropertyValue
from fhir_server.terminology.code_systems.concept import read_designation
from fhir_server.terminology.member import Member
from fhir_server.terminology.displays import best_name, fits, names_of

if TYPE_CHECKING:
    from fhir_server.terminology.expansion import ExpansionRequest
    from fhir_server.terminology.sources import Resource

_R5 = "http://hl7.org/fhir/5.0/StructureDefinition/extension-ValueSet.expansion."
PROPERTY_DECLARED = f"{_R5}property"
PROPERTY_OF_CODE = f"{_R5}contains.property"

_HL7 = "http://hl7.org/fhir/StructureDefinition/"
_CONCEPT_PROPERTIES = "http://hl7.org/fhir/concept-properties#"
_AS_PROPERTIES = {
    f"{_HL7}codesystem-label": ("label", "label"),
    f"{_HL7}valueset-label": ("label", "label"),
    f"{_HL7}codesystem-conceptOrder": ("order", "order"),
    f"{_HL7}valueset-conceptOrder": ("order", "order"),
    f"{_HL7}itemWeight": ("weight", "itemWeight"),
}
"""Extensions of a concept that the expansion tells as properties: code, and name among FHIR's own properties."""
_KEPT = frozenset(
    {
        f"{_HL7}rendering-style",
        f"{_HL7}rendering-xhtml",
        f"{_HL7}valueset-deprecated",
        f"{_HL7}valueset-concept-definition",
        f"{_HL7}valueset-concept-comments",
    }
)
"""Extensions of a concept that are repeated in the expansion."""
_KEPT_OF_DESIGNATIONS = frozenset({f"{_HL7}coding-sctdescid", f"{_HL7}structuredefinition-standards-status"})
_FHIR_PROPERTIES = {"label": "label", "order": "order", "weight": "itemWeight"} | {
    name: name for name in ("definition", "status", "inactive", "notSelectable", "parent", "child")
}


class Entries:
    """Builds the entries of one expansion, and remembers which properties they have."""

    def __init__(self, request: ExpansionRequest, value_set: Resource, with_version: frozenset[str]) -> None:
        self._request = request
        self._language: str = value_set.get("language", "")
        self._with_version = with_version
        self._properties: dict[str, str] = {}
        self._tells_designations = request.include_designations or bool(request.designations)
        self._tells_more = bool(request.properties)
        self._first = request.languages.tags[0] if request.languages else ""

    def build(self, member: Member) -> dict[str, Any]:
        """Returns an entry of `expansion.contains` without what is below it."""
        concept = member.concept
        says_more = self._tells_more or _says_more(member)
        entry: dict[str, Any] = {}
        if says_more and (extensions := [*_extensions(member), *self._property_extensions(member)]):
            entry["extension"] = extensions
        entry["system"] = member.system
        if concept is not None and concept.is_abstract:
            entry["abstract"] = True
        if concept is not None and concept.is_inactive:
            entry["inactive"] = True
        if member.system in self._with_version and member.version:
            entry["version"] = member.version
        entry["code"] = member.code
        if display := self._display(member):
            entry["display"] = display
        if self._tells_designations and (found := [each.build() for each in self._designations(member, display)]):
            entry["designation"] = found
        return entry

    def declared_properties(self) -> Iterator[dict[str, Any]]:
        """Yields the extensions that declare the properties which the entries have."""
        for code, uri in self._properties.items():
            parts = [{"url": "code", "valueCode": code}]
            yield {"extension": [*parts, {"url": "uri", "valueUri": uri}] if uri else parts, "url": PROPERTY_DECLARED}

    def _display(self, member: Member) -> str:
        language = member.provider.language if member.provider else ""
        # Most are asked for in no language, or in that of the system: then the first name counts.
        if not self._first or (not member.row and fits(self._first, language)):
            if display := member.display:
                return display
        return best_name(names_of(member.concept, language, member.row, self._language), self._request.languages)

    def _designations(self, member: Member, display: str) -> Iterator[Designation]:
        request = self._request
        concept, provider = member.concept, member.provider
        rows = [read_designation(row) for row in member.row.get("designation", ()) if "value" in row]
        found = [*(concept.designations if concept else ()), *rows]
        if concept and concept.display and concept.display != display:
            found.insert(0, Designation(concept.display, provider.language if provider else ""))
        for each in found:
            chosen = each.value == display and bool(request.languages)
            if not chosen and (not request.designations or _is_asked_for(each, request.designations)):
                kept = [row for row in each.extensions if row.get("url") in _KEPT_OF_DESIGNATIONS]
                yield each._replace(extensions=kept)

    def _property_extensions(self, member: Member) -> Iterator[dict[str, Any]]:
        for code, value in self._property_values(member):
            parts = [{"url": "code", "valueCode": code}, {"url": "value", value.element: value.value}]
            yield {"extension": parts, "url": PROPERTY_OF_CODE}

    def _property_values(self, member: Member) -> Iterator[tuple[str, PropertyValue]]:
        """Yields what is always told (order, label, weight, status), then what is asked for."""
        concept, asked = member.concept, self._request.properties
        told = {
            code: (PropertyValue(*value), _CONCEPT_PROPERTIES + name)
            for code, name, value in _from_extensions(member)
        }
        for code, (value, uri) in told.items():
            self._properties.setdefault(code, uri)
            yield code, value
        if concept is None:
            return
        if concept.status and "status" not in concept.properties:
            self._properties.setdefault("status", f"{_CONCEPT_PROPERTIES}status")
            yield "status", PropertyValue("valueCode", concept.status)
        for code in dict.fromkeys(("status", *asked)):
            for value in _values_of(member, code):
                self._properties.setdefault(code, _uri_of(member, code))
                yield code, value


def _says_more(member: Member) -> bool:
    """True where there may be something to tell beside the names; few codes have that."""
    concept = member.concept
    return bool(member.row or (concept and (concept.properties or concept.extensions or concept.status)))


def _values_of(member: Member, code: str) -> Iterator[PropertyValue]:
    concept, provider = member.concept, member.provider
    if concept is None or provider is None:
        return
    if code in concept.properties:
        yield from concept.properties[code]
    elif code == "definition" and concept.definition:
        yield PropertyValue("valueString", concept.definition)
    elif code in ("parent", "child"):
        related = provider.parents if code == "parent" else provider.children
        yield from (PropertyValue("valueCode", each) for each in related(concept.code))
    elif code == "inactive":
        yield PropertyValue("valueBoolean", concept.is_inactive)
    elif code == "notSelectable" and concept.is_abstract:
        yield PropertyValue("valueBoolean", True)


def _uri_of(member: Member, code: str) -> str:
    rows = member.provider.header.get("property", ()) if member.provider else ()
    declared = next((row.get("uri", "") for row in rows if row.get("code") == code), "")
    return declared or (_CONCEPT_PROPERTIES + _FHIR_PROPERTIES[code] if code in _FHIR_PROPERTIES else "")


def _from_extensions(member: Member) -> Iterator[tuple[str, str, tuple[str, Any]]]:
    """Yields code, name and value of the properties that extensions tell; the value set's own count last."""
    concept = member.concept
    for row in (*(concept.extensions if concept else ()), *member.row.get("extension", ())):
        if row.get("url") in _AS_PROPERTIES:
            code, name = _AS_PROPERTIES[row["url"]]
            element = next((key for key in row if key.startswith("value")), "")
            value = row.get(element)
            # R5 knows the order and the weight as decimals.
            yield code, name, ("valueDecimal", Decimal(value)) if isinstance(value, int) else (element, value)


def _extensions(member: Member) -> list[dict[str, Any]]:
    concept = member.concept
    rows = (*(concept.extensions if concept else ()), *member.row.get("extension", ()))
    if not rows:
        return []
    return list({row["url"]: row for row in rows if row.get("url") in _KEPT}.values())


def _is_asked_for(designation: Designation, asked: Mapping[str, Any] | Any) -> bool:
    """True where a designation is in a language, or of a use, that `designation` names: `fr`, `urn:ietf:bcp:47|fr`,
    or the token `system|code` of a use.
    """
    for token in asked:
        system, bar, code = token.rpartition("|")
        if system in ("", "urn:ietf:bcp:47") and fits(code, designation.language):
            return True
        use = designation.use or {}
        if use.get("code") == code and (not bar or use.get("system", "") == system):
            return True
    return False
