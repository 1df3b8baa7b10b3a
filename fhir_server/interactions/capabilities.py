"""The CapabilityStatement: exactly what is there, from the registries. https://hl7.org/fhir/R4/capabilitystatement.html"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from fhir_server import __version__
from fhir_server.conformance import DefinitionRegistry
from fhir_server.conformance.packages import Entry
from fhir_server.index import TYPES, SearchParameterRegistry
from fhir_server.interactions.patch import PATCH_MEDIA_TYPES
from fhir_server.interactions.repository import Limits
from fhir_server.spec.compartments import compartments
from fhir_server.spec.definitions import resource_types

Operations = Callable[[str | None], Sequence[tuple[str, str]]]
TYPE_INTERACTIONS = (
    "read",
    "vread",
    "update",
    "patch",
    "delete",
    "history-instance",
    "history-type",
    "create",
    "search-type",
)
SYSTEM_INTERACTIONS = ("transaction", "batch", "search-system", "history-system")
_COMPARTMENT = "http://hl7.org/fhir/CompartmentDefinition/"
GUIDE = "https://cnrms.fr/ig/fhir/msma/ImplementationGuide/fr.cnrms.msma"
"""The guide that `fhir-server content-build` makes of the content."""
TERMINOLOGY_SERVER = "http://hl7.org/fhir/CapabilityStatement/terminology-server"
"""What HL7 asks of terminology servers: `$expand`, `$validate-code`, `$lookup`, `$subsumes`, `$translate`, `$closure`.
"""
FORMATS = ["application/fhir+json", "application/fhir+xml", "json", "xml"]


def build_capabilities(
    definitions: DefinitionRegistry,
    search_parameters: SearchParameterRegistry,
    operations: Operations,
    limits: Limits,
    max_body_bytes: int,
    started_at: datetime,
) -> dict[str, Any]:
    """Returns the CapabilityStatement without `implementation.url`, which depends on how the client came here.

    `operations` returns (name, canonical) of what can be called on a type, or on the system for None.
    """
    profiles = _profiles(definitions)
    reverse = _reverse_includes(search_parameters)
    return {
        "resourceType": "CapabilityStatement",
        "id": "msma-fhir-server",
        "name": "MsmaFhirServer",
        "title": "Serveur FHIR des microstructures médicales addictions",
        "status": "active",
        "date": started_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "publisher": "CNRMS",
        "kind": "instance",
        "instantiates": [TERMINOLOGY_SERVER],
        "software": {"name": "MSMA FHIR server", "version": __version__},
        "implementation": {"description": "Serveur FHIR R4 des microstructures médicales addictions (MSMA)"},
        "fhirVersion": "4.0.1",
        "implementationGuide": _guides(definitions),
        "format": FORMATS,
        "patchFormat": list(PATCH_MEDIA_TYPES),
        "rest": [
            {
                "mode": "server",
                "documentation": _documentation(limits, max_body_bytes),
                "security": {"description": "Accès ouvert : le serveur n'écoute que sur la machine locale."},
                "resource": [
                    _resource(resource_type, profiles.get(resource_type, []), search_parameters, reverse)
                    | _operation_list(operations(resource_type))
                    for resource_type in sorted(resource_types())
                ],
                "interaction": [{"code": code} for code in SYSTEM_INTERACTIONS],
                "searchParam": _system_parameters(search_parameters),
                "compartment": [f"{_COMPARTMENT}{name[0].lower()}{name[1:]}" for name in sorted(compartments())],
                **_operation_list(operations(None)),
            }
        ],
    }


def _profiles(definitions: DefinitionRegistry) -> dict[str, list[str]]:
    """Returns the canonicals of profiles by resource type: ours, and with their versions those of packages."""
    profiles: dict[str, list[str]] = {}
    for definition in definitions.own_resources("StructureDefinition"):
        if definition["type"] in resource_types():
            profiles.setdefault(definition["type"], []).append(definition["url"])
    for _, entry in definitions.package_entries("StructureDefinition"):
        if entry.type in resource_types() and entry.derivation == "constraint":
            profiles.setdefault(entry.type, []).append(_canonical(entry))
    return profiles


def _canonical(entry: Entry) -> str:
    return f"{entry.url}|{entry.version}" if entry.version else entry.url


def _guides(definitions: DefinitionRegistry) -> list[str]:
    """Returns the canonicals of our own guide and of those of the installed packages, with their versions."""
    installed = [_canonical(entry) for _, entry in definitions.package_entries("ImplementationGuide")]
    ours = [f"{GUIDE}|{__version__}"] if definitions.own_resources("StructureDefinition") else []
    return list(dict.fromkeys([*ours, *sorted(installed)]))


def _system_parameters(registry: SearchParameterRegistry) -> list[dict[str, str]]:
    """Returns the parameters of a search of the system: those that every resource has."""
    return [
        _search_parameter(name, kind, definition)
        for name, kind, definition in registry.describe("Basic")
        if name.startswith("_")
    ]


def with_url(capabilities: dict[str, Any], base_url: str) -> dict[str, Any]:
    """Returns the statement as seen from `base_url`."""
    return capabilities | {"implementation": capabilities["implementation"] | {"url": base_url}}


def _operation_list(operations: Sequence[tuple[str, str]]) -> dict[str, Any]:
    listed = [{"name": name, "definition": canonical} for name, canonical in operations]
    return {"operation": listed} if listed else {}


def _documentation(limits: Limits, max_body_bytes: int) -> str:
    return (
        f"Limites : {limits.max_bundle_entries} entrées par batch ou transaction, {max_body_bytes} octets par requête, "
        f"{limits.query_timeout_ms} ms par recherche. `Prefer: respond-async` pour bundles, recherches et opérations. "
        "`DELETE [type]/[id]/_history[/vid]` efface les versions antérieures. "
        f"Limits: {limits.max_bundle_entries} entries per batch or transaction, {max_body_bytes} bytes per request, "
        f"{limits.query_timeout_ms} ms per search. `Prefer: respond-async` for bundles, searches and operations. "
        "`DELETE [type]/[id]/_history[/vid]` erases earlier versions. " + _search_documentation()
    )


_NOTES = {
    "phonetic": "Comparé comme une chaîne : pas de phonétique. Compared as a string: no phonetics.",
    "near": "Sans distance : 50 km. Without a distance: 50 km.",
    "_text": "Débuts de mots du texte narratif. Beginnings of words of the narrative.",
    "_content": "Débuts de mots de tout texte. Beginnings of words of all text.",
}
"""What a client should know of a search parameter, by code."""


def _search_parameter(name: str, kind: str, definition: str) -> dict[str, str]:
    row = {"name": name, "definition": definition, "type": kind, "documentation": _NOTES.get(name, "")}
    return {key: value for key, value in row.items() if value}


def _search_documentation() -> str:
    """Returns the modifiers and prefixes of each search parameter type."""
    modifiers = {kind: " ".join(f":{each}" for each in sorted(module.MODIFIERS)) for kind, module in TYPES.items()}
    modifiers["reference"] += " :above :below :[type]"
    listed = "; ".join(f"{kind} {each}" for kind, each in modifiers.items())
    prefixes = " ".join(sorted(TYPES["date"].PREFIXES))
    return f"Modificateurs (modifiers): {listed}. Préfixes (prefixes; date, number, quantity): {prefixes}."


def _reverse_includes(registry: SearchParameterRegistry) -> dict[str, list[str]]:
    """Returns, for each type, the parameters of other types that may refer to it."""
    found: dict[str, list[str]] = {resource_type: [] for resource_type in resource_types()}
    for source in sorted(resource_types()):
        for parameter in registry.for_type(source).values():
            for target in parameter.targets if parameter.type == "reference" else ():
                if target in found:
                    found[target].append(f"{source}:{parameter.code}")
    return found


def _resource(
    resource_type: str, profiles: list[str], registry: SearchParameterRegistry, reverse: dict[str, list[str]]
) -> dict[str, Any]:
    parameters = registry.describe(resource_type)
    references = [name for name, kind, _ in parameters if kind == "reference"]
    resource: dict[str, Any] = {
        "type": resource_type,
        "supportedProfile": sorted(profiles),
        "interaction": [{"code": code} for code in TYPE_INTERACTIONS],
        "versioning": "versioned",
        "readHistory": True,
        "updateCreate": True,
        "conditionalCreate": True,
        "conditionalRead": "full-support",
        "conditionalUpdate": True,
        "conditionalDelete": "multiple",
        "referencePolicy": ["literal", "logical"],
        "searchInclude": ["*", *(f"{resource_type}:{name}" for name in references)],
        "searchRevInclude": reverse[resource_type],
        "searchParam": [_search_parameter(*parameter) for parameter in parameters],
    }
    return {name: value for name, value in resource.items() if value != []}
