"""The ImplementationGuide of our package, derived from the content. https://hl7.org/fhir/R4/implementationguide.html"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Resource = dict[str, Any]

GROUPS: Mapping[str, tuple[str, str]] = {
    "profiles": ("Profils", "Profiles"),
    "extensions": ("Extensions", "Extensions"),
    "CodeSystem": ("Systèmes de codes", "Code systems"),
    "ValueSet": ("Jeux de valeurs", "Value sets"),
    "ConceptMap": ("Correspondances", "Concept maps"),
    "NamingSystem": ("Systèmes d’identifiants", "Naming systems"),
    "SearchParameter": ("Paramètres de recherche", "Search parameters"),
    "OperationDefinition": ("Opérations", "Operations"),
    "CapabilityStatement": ("Capacités", "Capability statements"),
    "Questionnaire": ("Questionnaires", "Questionnaires"),
    "Measure": ("Mesures", "Measures"),
    "examples": ("Exemples", "Examples"),
}
"""Groups of resources in their order: title in French and in English."""
_TRANSLATION = "http://hl7.org/fhir/StructureDefinition/translation"


def guide_url(package: Mapping[str, Any]) -> str:
    """Returns the canonical of the guide of a package, as FHIR's publishers form it."""
    return f"{package['canonical']}/ImplementationGuide/{package['name']}"


def build_guide(package: Mapping[str, Any], definitions: Sequence[Resource], examples: Sequence[Resource]) -> Resource:
    """Returns the guide: what the package depends on and what it holds, the same for the same content.

    `package` is `package.json`; its `guides` give the canonical of the guide of each dependency.
    """
    guides = package["guides"]
    entries = [_definition_entry(resource) for resource in definitions]
    entries += [_example_entry(resource, package["canonical"]) for resource in examples]
    order = list(GROUPS)
    entries.sort(key=lambda entry: (order.index(entry["groupingId"]), entry["reference"]["reference"]))
    used = {entry["groupingId"] for entry in entries}
    is_draft = any(resource.get("status") == "draft" for resource in definitions)
    system, _, country = package["jurisdiction"].partition("#")
    return {
        "resourceType": "ImplementationGuide",
        "id": package["name"],
        "language": "fr",
        "url": guide_url(package),
        "version": package["version"],
        "name": package["name"].rpartition(".")[2].title(),
        "title": package["title"],
        "status": "draft" if is_draft else "active",
        "date": max(resource["date"] for resource in definitions if "date" in resource),
        "publisher": package["author"],
        "description": package["description"],
        "jurisdiction": [{"coding": [{"system": system, "code": country}]}],
        "packageId": package["name"],
        "license": package["license"],
        "fhirVersion": package["fhirVersions"],
        "dependsOn": [
            {"uri": guides[name], "packageId": name, "version": version}
            for name, version in package["dependencies"].items()
            if name in guides
        ],
        "definition": {
            "grouping": [{"id": name.lower(), **_titled("name", *GROUPS[name])} for name in order if name in used],
            "resource": [{**entry, "groupingId": entry["groupingId"].lower()} for entry in entries],
            "page": {"nameUrl": "index.html", "title": package["title"], "generation": "markdown"},
        },
    }


def _titled(element: str, french: str, english: str) -> Resource:
    parts = [{"url": "lang", "valueCode": "en"}, {"url": "content", "valueString": english}]
    return {element: french, f"_{element}": {"extension": [{"extension": parts, "url": _TRANSLATION}]}}


def _definition_entry(resource: Resource) -> Resource:
    group = resource["resourceType"]
    if group == "StructureDefinition":
        group = "extensions" if resource["type"] == "Extension" else "profiles"
    described = {"description": resource["description"]} if "description" in resource else {}
    return {
        "reference": {"reference": f"{resource['resourceType']}/{resource['id']}"},
        "name": resource.get("title", resource.get("name", resource["id"])),
        **described,
        "exampleBoolean": False,
        "groupingId": group,
    }


def _example_entry(resource: Resource, base: str) -> Resource:
    """Returns the entry of an example; of which profile of ours, where it claims one."""
    ours = [one for one in resource.get("meta", {}).get("profile", ()) if one.startswith(f"{base}/")]
    shown = {"exampleCanonical": ours[0]} if ours else {"exampleBoolean": True}
    reference = {"reference": {"reference": f"{resource['resourceType']}/{resource['id']}"}, "name": resource["id"]}
    return {**reference, **shown, "groupingId": "examples"}
