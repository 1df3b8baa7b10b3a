"""`$translate`: what a code is in another code system, by concept maps.

https://hl7.org/fhir/R4/conceptmap-operation-translate.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fhir_server.conformance import split_canonical
from fhir_server.errors import InvalidContent
from fhir_server.operations.asked_concept_maps import MAP_PARAMETERS, AskedConceptMaps, asked_concept_maps
from fhir_server.operations.invocation import Invocation
from fhir_server.operations.operation import HL7, Operation, Parameter
from fhir_server.operations.terminology_scope import SCOPE_PARAMETERS, evaluate
from fhir_server.terminology import Scope
from fhir_server.terminology.translation import Attribute, Code, Match, Wanted, has_unmet_dependencies, translate

_FORMS = ("code", "coding", "codeableConcept")


async def run(invocation: Invocation) -> dict[str, Any]:
    """Returns Parameters with `result`, a `message` where there is no translation, and each `match`.

    Raises InvalidContent unless one code is given, ResourceNotFound for a concept map that is named and not known.
    """
    codes = _codes(invocation)
    wanted = Wanted(
        invocation.inputs.one("targetsystem") or "",
        invocation.inputs.one("reverse") is True,
        [each for dependency in invocation.inputs.all("dependency") for each in _dependency(dependency)],
    )
    asked = await asked_concept_maps(invocation, {code.system for code in codes}, wanted)

    def work(scope: Scope) -> dict[str, Any]:
        maps = asked.find(scope)
        found = [(code, map_, translate(scope, map_, code, wanted)) for code in codes for map_ in maps]
        matches = [match for _, _, matches in found for match in matches if asked.is_wanted(scope, match)]
        message = _message(invocation, asked, found, wanted)
        return _answer(list(dict.fromkeys(matches)), message)

    return await evaluate(invocation, work)


def _codes(invocation: Invocation) -> list[Code]:
    inputs = invocation.inputs
    given = [name for name in _FORMS if inputs.one(name) is not None]
    if len(given) != 1:
        listed = ", ".join(f"`{name}`" for name in given)
        raise InvalidContent(
            f"`$translate` takes one of `code` with `system`, `coding`, `codeableConcept`; sent: {listed or 'none'}.",
            f"`$translate` veut `code` avec `system`, ou `coding`, ou `codeableConcept` ; reçu : {listed or '—'}.",
            rule="translate-code",
        )
    if given == ["code"]:
        codings = [{name: inputs.one(name) for name in ("system", "version", "code") if inputs.one(name) is not None}]
    else:
        codings = [inputs.one("coding")] if given == ["coding"] else inputs.one("codeableConcept").get("coding", ())
    if not codings:
        raise InvalidContent(
            "`codeableConcept` has no `coding`: there is no code to translate.",
            "`codeableConcept` n'a pas de `coding` : il n'y a aucun code à traduire.",
            rule="translate-code",
        )
    for coding in codings:
        missing = [name for name in ("system", "code") if not coding.get(name)]
        if missing:
            listed = ", ".join(f"`{name}`" for name in missing)
            raise InvalidContent(
                f"The code to translate lacks {listed}; it has meaning by `system` and `code`.",
                f"Il manque {listed} au code à traduire ; il a un sens par `system` et `code`.",
                rule="translate-code",
            )
    return [Code(coding["system"], coding["code"], coding.get("version", "")) for coding in codings]


def _dependency(parts: Sequence[Mapping[str, Any]]) -> list[Attribute]:
    """Returns what one `dependency` says: the codings and the text of its concept, for its element."""
    named = {part["name"]: part for part in parts}
    element = named.get("element", {}).get("valueUri")
    concept = named.get("concept", {}).get("valueCodeableConcept")
    if element is None or concept is None:
        raise InvalidContent(
            "`dependency` has the parts `element` (`valueUri`) and `concept` (`valueCodeableConcept`).",
            "`dependency` a les parties `element` (`valueUri`) et `concept` (`valueCodeableConcept`).",
            rule="translate-dependency",
        )
    codings = [
        Attribute(element, row["code"], row.get("system", "")) for row in concept.get("coding", ()) if "code" in row
    ]
    return [*codings, *([Attribute(element, concept["text"])] if "text" in concept else [])]


def _message(
    invocation: Invocation,
    asked: AskedConceptMaps,
    found: Sequence[tuple[Code, dict[str, Any], Sequence[Match]]],
    wanted: Wanted,
) -> str:
    """Returns why there may be no translation."""
    is_english = invocation.language == "en"
    if not found:
        return asked.nothing_known(invocation.language)
    if any(has_unmet_dependencies(map_, code, wanted) for code, map_, _ in found):
        return (
            "A mapping depends on more than the code: send `dependency`."
            if is_english
            else "Une correspondance dépend d'autre chose que du code : envoyez `dependency`."
        )
    named = ", ".join(dict.fromkeys(f"`{code.system}|{code.code}`" for code, _, _ in found))
    return f"No map here translates {named}." if is_english else f"Aucune table de correspondance ne traduit {named}."


def _answer(matches: Sequence[Match], message: str) -> dict[str, Any]:
    is_translated = any(match.is_translation for match in matches)
    said = [] if is_translated else [{"name": "message", "valueString": message}]
    parameters = [{"name": "result", "valueBoolean": is_translated}, *said, *map(_match, matches)]
    return {"resourceType": "Parameters", "parameter": parameters}


def _match(match: Match) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{"name": "equivalence", "valueCode": match.equivalence}]
    if match.code:
        parts.append(
            {"name": "concept", "valueCoding": _coding(match.system, match.code, match.display, match.version)}
        )
    for product in match.products:
        coding = _coding(split_canonical(product.system)[0], product.code, product.display)
        element = {"name": "element", "valueUri": product.element}
        parts.append({"name": "product", "part": [element, {"name": "concept", "valueCoding": coding}]})
    if match.source:
        parts.append({"name": "source", "valueUri": match.source})
    return {"name": "match", "part": parts}


def _coding(system: str, code: str, display: str, version: str = "") -> dict[str, str]:
    parts = {"system": system, "version": version, "code": code, "display": display}
    return {name: value for name, value in parts.items() if value}


OPERATION = Operation(
    canonical=f"{HL7}ConceptMap-translate",
    code="translate",
    levels=frozenset({"type", "instance"}),
    run=run,
    parameters=(
        *MAP_PARAMETERS,
        Parameter("code", "code"),
        Parameter("system", "uri"),
        Parameter("version", "string"),
        Parameter("coding", "Coding"),
        Parameter("codeableConcept", "CodeableConcept"),
        Parameter("targetsystem", "uri"),
        Parameter("dependency", "part", repeats=True),
        Parameter("reverse", "boolean"),
        *SCOPE_PARAMETERS,
    ),
    types=frozenset({"ConceptMap"}),
)
