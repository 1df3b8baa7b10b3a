"""A StructureDefinition with its whole snapshot, as `$snapshot` answers it and as our package carries it.

https://hl7.org/fhir/R4/structuredefinition-operation-snapshot.html

R4's tables hold facts and no prose, so what R4 says of an element in words is replaced by a link to the page that says
it: a snapshot needs a `definition` of each element (sdf-3), a `human` of each constraint, a reason for each modifier.
"""

from __future__ import annotations

from typing import Any

from fhir_server.conformance.bases import base_of
from fhir_server.conformance.element_tree import ElementNode, flatten
from fhir_server.spec.definitions import structure_definitions

R4 = "https://hl7.org/fhir/R4/"
_CORE = "http://hl7.org/fhir/StructureDefinition/"
_FHIR_TYPE = f"{_CORE}structuredefinition-fhir-type"
_SYSTEM = "http://hl7.org/fhirpath/System."
_SYSTEM_TYPES = {
    "boolean": "Boolean",
    "date": "Date",
    "dateTime": "DateTime",
    "decimal": "Decimal",
    "instant": "DateTime",
    "integer": "Integer",
    "positiveInt": "Integer",
    "time": "Time",
    "unsignedInt": "Integer",
}
"""FHIRPath's type of a primitive's value, where it is not String."""
_VALUES_OF_SYSTEM = frozenset({"Element.id", "Resource.id", "Extension.url"})
_ELE_1 = {
    "key": "ele-1",
    "severity": "error",
    "human": "All FHIR elements must have a @value or children",
    "expression": "hasValue() or (children().count() > id.count())",
    "source": f"{_CORE}Element",
}
_EXT_1 = {
    "key": "ext-1",
    "severity": "error",
    "human": "Must have either extensions or value[x], not both",
    "expression": "extension.exists() != value.exists()",
    "source": f"{_CORE}Extension",
}
_PAGES = {
    "Extension": "extensibility",
    "Meta": "resource",
    "Reference": "references",
} | dict.fromkeys(
    (
        *("ContactDetail", "Contributor", "DataRequirement", "Expression", "ParameterDefinition", "RelatedArtifact"),
        *("TriggerDefinition", "UsageContext"),
    ),
    "metadatatypes",
)
"""R4's page about a type that is neither a resource nor on the page of data types, nor has one of its own."""
_OWN_PAGE = frozenset({"Element", "BackboneElement", "Narrative", "Dosage", "ElementDefinition"})


def snapshot_elements(tree: ElementNode) -> list[dict[str, Any]]:
    """Returns the ElementDefinitions of a tree as facts, `base` whole where R4 defines the element."""
    return [{**each, "base": base_of(each["base"]["path"]) or each["base"]} for each in flatten(tree)]


def with_snapshot(definition: dict[str, Any], tree: ElementNode) -> dict[str, Any]:
    """Returns a StructureDefinition whose snapshot is that of `tree`, each element valid R4, in R4's order of names."""
    elements = [_complete(element, is_root=not number) for number, element in enumerate(snapshot_elements(tree))]
    result = {key: value for key, value in definition.items() if key not in ("snapshot", "differential")}
    result["snapshot"] = {"element": elements}
    if "differential" in definition:
        result["differential"] = definition["differential"]
    return result


def _complete(element: dict[str, Any], *, is_root: bool) -> dict[str, Any]:
    origin = element["base"]["path"]
    page = f"FHIR R4: {_page_of(origin)}"
    found = dict(element)
    found.setdefault("definition", page)
    if "base" in found and "min" not in found["base"]:
        found["base"] = {**found["base"], "min": found["min"], "max": found["max"]}
    if "type" in found:
        found["type"] = [_type(entry, origin) for entry in found["type"]]
    constraints = [*_on_every_element(found, is_root), *found.get("constraint", ())]
    if constraints:
        unique = {one["key"]: one for one in constraints}
        found["constraint"] = [{**one, "human": one.get("human", page)} for one in unique.values()]
    if found.get("isModifier"):
        found.setdefault("isModifierReason", page)
    return {name: found[name] for name in sorted(found, key=_order)}


def _type(entry: dict[str, Any], origin: str) -> dict[str, Any]:
    """Returns a type as R4 writes it: ids, URLs of extensions and values of primitives are of FHIRPath's types."""
    code = entry["code"]
    type_name, _, name = origin.partition(".")
    is_value = name == "value" and type_name[0].islower()
    if code.startswith("http://") or not (is_value or origin in _VALUES_OF_SYSTEM):
        return entry
    system = _SYSTEM_TYPES.get(code, "String") if is_value else "String"
    return {"extension": [{"url": _FHIR_TYPE, "valueUrl": code}], **entry, "code": f"{_SYSTEM}{system}"}


def _on_every_element(element: dict[str, Any], is_root: bool) -> list[dict[str, Any]]:
    """Returns the constraints that R4's tables leave out, since every element has them."""
    codes = [entry["code"] for entry in element.get("type", ())]
    kind = structure_definitions().get(f"{_CORE}{element['path']}", {}).get("kind") if is_root else None
    if kind == "resource" or "Resource" in codes or any(code.startswith(_SYSTEM) for code in codes):
        return []
    is_extension = codes == ["Extension"] or (is_root and element["path"] == "Extension")
    return [_ELE_1, _EXT_1] if is_extension else [_ELE_1]


def _page_of(path: str) -> str:
    """Returns the URL of R4's words about the element that is defined at `path`."""
    type_name = path.partition(".")[0]
    kind = structure_definitions().get(_CORE + type_name, {}).get("kind")
    has_page = kind == "resource" or type_name in _OWN_PAGE
    page = _PAGES.get(type_name) or (type_name.lower() if has_page else "datatypes")
    return f"{R4}{page}-definitions.html#{path}"


def _order(name: str) -> tuple[int, str]:
    """Returns where R4 lists an element of ElementDefinition; choices (`fixedCode`) stand where the choice stands."""
    position = _POSITIONS.get(name)
    if position is None:
        position = next((at for choice, at in _CHOICES.items() if name.startswith(choice)), len(_ORDER))
    return position, name


_ORDER = (
    *("id", "extension", "modifierExtension", "path", "representation", "sliceName", "sliceIsConstraining", "label"),
    *("code", "slicing", "short", "definition", "comment", "requirements", "alias", "min", "max", "base"),
    *("contentReference", "type", "defaultValue[x]", "meaningWhenMissing", "orderMeaning", "fixed[x]", "pattern[x]"),
    *("example", "minValue[x]", "maxValue[x]", "maxLength", "condition", "constraint", "mustSupport", "isModifier"),
    *("isModifierReason", "isSummary", "binding", "mapping"),
)
_POSITIONS = {name: position for position, name in enumerate(_ORDER)}
_CHOICES = {name[:-3]: position for name, position in _POSITIONS.items() if name.endswith("[x]")}
