"""`$lookup`: what a code system says of one code.

https://hl7.org/fhir/R4/codesystem-operation-lookup.html

`code`, `system`, `abstract`, `definition` and the source of a designation are answered as R5 does, which R4's clients
read too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from fhir_server.errors import InvalidContent
from fhir_server.operations.invocation import Invocation
from fhir_server.operations.operation import HL7, Operation, Parameter
from fhir_server.operations.terminology_date import refuse_past
from fhir_server.operations.terminology_scope import SCOPE_PARAMETERS, evaluate
from fhir_server.terminology import CodeSystemProvider, Concept, Scope
from fhir_server.terminology.code_systems import Designation, PropertyValue
from fhir_server.terminology.displays import Languages, best_name, display_languages, fits, names_of, parse_languages
from fhir_server.terminology.problems import unknown_code, unknown_code_system

_PREFERRED = {
    "system": "http://terminology.hl7.org/CodeSystem/hl7TermMaintInfra",
    "code": "preferredForLanguage",
    "display": "Preferred For Language",
}
_EVERYTHING = "*"
_LANGUAGE = "lang."


async def run(invocation: Invocation) -> dict[str, Any]:
    """Returns a Parameters with name and version of the system, display, designations and properties of the code.

    Without `property`, or with `*`, all that is known. Raises ResourceNotFound for a system, a version or a code that
    is not known here.
    """
    system, version, code = _asked(invocation)
    refuse_past(invocation)
    named: str = invocation.inputs.one("displayLanguage") or ""
    languages = display_languages(named) if named else parse_languages(invocation.accept_language)
    wanted = frozenset(invocation.inputs.all("property")) or frozenset({_EVERYTHING})

    def look_up(scope: Scope) -> dict[str, Any]:
        provider = scope.code_system(system, version)
        if provider is None:
            wanted_version = scope.wanted_version(system, version)
            raise unknown_code_system(system, wanted_version, scope.code_system_versions(system))
        known = provider.find(code)
        concept = provider.concept(known) if known is not None else None
        if concept is None:
            raise unknown_code(provider, code)
        return {"resourceType": "Parameters", "parameter": list(_answer(provider, concept, languages, wanted))}

    return await evaluate(invocation, look_up)


def _asked(invocation: Invocation) -> tuple[str, str, str]:
    """Returns system, version and code, from `coding` or from their own parameters."""
    inputs = invocation.inputs
    coding: dict[str, str] | None = inputs.one("coding")
    own = {name: inputs.one(name) for name in ("system", "version", "code") if inputs.one(name) is not None}
    if coding is not None and own:
        named = ", ".join(f"`{name}`" for name in own)
        raise InvalidContent(
            f"`$lookup` takes `coding`, or `code` and `system`: leave out either `coding` or {named}.",
            f"`$lookup` admet `coding`, ou bien `code` et `system` : omettez `coding`, ou {named}.",
            rule="lookup-code-twice",
        )
    given = own if coding is None else coding
    missing = [name for name in ("code", "system") if not given.get(name)]
    if missing:
        where, ou = ("", "") if coding is None else (" in `coding`", " dans `coding`")
        named = ", ".join(f"`{name}`" for name in missing)
        raise InvalidContent(
            f"`$lookup` needs {named}{where}: a `coding`, or a `code` and its `system`.",
            f"`$lookup` demande {named}{ou} : un `coding`, ou un `code` et son `system`.",
            rule="operation-parameter-missing",
        )
    return given["system"], given.get("version", ""), given["code"]


def _answer(
    provider: CodeSystemProvider, concept: Concept, languages: Languages, wanted: Collection[str]
) -> Iterator[dict[str, Any]]:
    yield {"name": "name", "valueString": provider.name}
    if provider.version:
        yield {"name": "version", "valueString": provider.version}
    display = best_name(names_of(concept, provider.language), languages) or concept.code
    yield {"name": "display", "valueString": display}
    yield {"name": "system", "valueUri": provider.url}
    yield {"name": "code", "valueCode": concept.code}
    yield {"name": "abstract", "valueBoolean": concept.is_abstract}
    if concept.definition and _is_wanted("definition", wanted):
        yield {"name": "definition", "valueString": concept.definition}
    for designation in _designations(provider, concept):
        if _is_wanted("designation", wanted) or _in_wanted_language(designation.language, wanted):
            yield {"name": "designation", "part": _designation_parts(designation)}
    for code, value, description in _properties(provider, concept):
        if _is_wanted(code, wanted):
            described = [{"name": "description", "valueString": description}] if description else []
            parts = [{"name": "code", "valueCode": code}, {"name": "value", value.element: value.value}, *described]
            yield {"name": "property", "part": parts}
    for canonical in provider.supplements:
        yield {"name": "used-supplement", "valueCanonical": canonical}


def _is_wanted(property_: str, wanted: Collection[str]) -> bool:
    return _EVERYTHING in wanted or property_ in wanted


def _in_wanted_language(language: str, wanted: Collection[str]) -> bool:
    return any(name.startswith(_LANGUAGE) and fits(name.removeprefix(_LANGUAGE), language) for name in wanted)


def _designations(provider: CodeSystemProvider, concept: Concept) -> Iterator[Designation]:
    if provider.language and concept.display:
        yield Designation(concept.display, provider.language, _PREFERRED)
    yield from concept.designations


def _designation_parts(designation: Designation) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    if designation.language:
        parts.append({"name": "language", "valueCode": designation.language})
    if designation.use:
        parts.append({"name": "use", "valueCoding": designation.use})
    parts.append({"name": "value", "valueString": designation.value})
    if designation.source:
        parts.append({"name": "source", "valueCanonical": designation.source})
    return parts


def _properties(provider: CodeSystemProvider, concept: Concept) -> Iterator[tuple[str, PropertyValue, str]]:
    """Yields code, value and description: what every system has, then the concept's own."""
    if "inactive" not in concept.properties:
        yield "inactive", PropertyValue("valueBoolean", concept.is_inactive), ""
    for name, codes in (("parent", provider.parents(concept.code)), ("child", provider.children(concept.code))):
        for code in codes:
            related = provider.concept(code)
            yield name, PropertyValue("valueCode", code), related.display if related else ""
    for name, values in concept.properties.items():
        for value in values:
            yield name, value, ""


OPERATION = Operation(
    canonical=f"{HL7}CodeSystem-lookup",
    code="lookup",
    levels=frozenset({"type"}),
    run=run,
    parameters=(
        Parameter("code", "code"),
        Parameter("system", "uri"),
        Parameter("version", "string"),
        Parameter("coding", "Coding"),
        Parameter("date", "dateTime"),
        Parameter("displayLanguage", "string"),
        Parameter("property", "code", repeats=True),
        *SCOPE_PARAMETERS,
    ),
    types=frozenset({"CodeSystem"}),
)
