"""`$expand`: the codes of a value set.

https://hl7.org/fhir/R4/valueset-operation-expand.html

`property`, `useSupplement` and `tx-resource` are inputs of R5 that clients of R4 send too; properties come in the
extensions by which R4 carries elements of R5.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from fhir_server.errors import InvalidContent
from fhir_server.index.words import words_of
from fhir_server.operations.invocation import Invocation
from fhir_server.operations.operation import HL7, Operation, Parameter
from fhir_server.operations.terminology_date import refuse_past
from fhir_server.operations.terminology_scope import SCOPE_PARAMETERS, evaluate
from fhir_server.operations.value_set_asked import VALUE_SET_PARAMETERS, asked_value_set
from fhir_server.spec.dates import instant_text
from fhir_server.terminology import Scope
from fhir_server.terminology.displays import display_languages, parse_languages
from fhir_server.terminology.expansion import ExpansionRequest, expand

_ECHOED = {
    "filter": "valueString",
    "date": "valueDateTime",
    "offset": "valueInteger",
    "count": "valueInteger",
    "includeDesignations": "valueBoolean",
    "designation": "valueString",
    "includeDefinition": "valueBoolean",
    "activeOnly": "valueBoolean",
    "excludeNested": "valueBoolean",
    "excludeNotForUI": "valueBoolean",
    "excludePostCoordinated": "valueBoolean",
    "displayLanguage": "valueCode",
    "exclude-system": "valueUri",
    "system-version": "valueUri",
    "check-system-version": "valueUri",
    "force-system-version": "valueUri",
    "default-valueset-version": "valueUri",
}
"""Inputs that the expansion repeats in `expansion.parameter`, and the element that carries each."""
_DIRECTIONS = frozenset({"incoming", "outgoing"})


async def run(invocation: Invocation) -> dict[str, Any]:
    """Returns the ValueSet with its expansion.

    Raises InvalidContent unless exactly one value set is named, ResourceNotFound where it, or what it is made of, is
    not known, TooCostly for codes that cannot be listed or are too many, NotSupported for a `date` in the past.
    """
    refuse_past(invocation)
    _check_direction(invocation)
    request = _request(invocation)
    asked = await asked_value_set(invocation)
    now = instant_text(invocation.repository.clock())

    def work(scope: Scope) -> dict[str, Any]:
        value_set = asked.find(scope)
        scope = asked.scope(scope, value_set)
        return expand(scope, value_set, request, identifier=f"urn:uuid:{uuid4()}", timestamp=now)

    return await evaluate(invocation, work, resources=asked.resources)


def _request(invocation: Invocation) -> ExpansionRequest:
    inputs = invocation.inputs
    for name in ("offset", "count"):
        if (value := inputs.one(name)) is not None and value < 0:
            raise InvalidContent(
                f"`{name}` is a number from 0 on, not `{value}`.",
                f"`{name}` est un nombre à partir de 0, et non `{value}`.",
                rule="operation-parameter-type",
            )
    named: str = inputs.one("displayLanguage") or ""
    languages = display_languages(named) if named else parse_languages(invocation.accept_language)
    return ExpansionRequest(
        words=tuple(words_of(inputs.one("filter") or "")),
        offset=inputs.one("offset") or 0,
        count=inputs.one("count"),
        languages=languages,
        include_designations=inputs.one("includeDesignations") is True,
        designations=inputs.all("designation"),
        include_definition=inputs.one("includeDefinition") is True,
        active_only=inputs.one("activeOnly") is True,
        exclude_nested=inputs.one("excludeNested") is True,
        exclude_not_for_ui=inputs.one("excludeNotForUI") is True,
        exclude_systems=inputs.all("exclude-system"),
        properties=inputs.all("property"),
        echo=list(_echo(invocation)),
    )


def _echo(invocation: Invocation) -> Iterator[dict[str, Any]]:
    for name, element in _ECHOED.items():
        for value in invocation.inputs.all(name):
            yield {"name": name, element: value}


def _check_direction(invocation: Invocation) -> None:
    direction = invocation.inputs.one("contextDirection")
    if direction is None or (direction in _DIRECTIONS and invocation.inputs.one("context") is not None):
        return
    raise InvalidContent(
        f"`contextDirection` goes with `context` and is `incoming` or `outgoing`, not `{direction}`.",
        f"`contextDirection` accompagne `context` et vaut `incoming` ou `outgoing`, et non `{direction}`.",
        rule="expand-context",
    )


OPERATION = Operation(
    canonical=f"{HL7}ValueSet-expand",
    code="expand",
    levels=frozenset({"type", "instance"}),
    run=run,
    parameters=(
        *VALUE_SET_PARAMETERS,
        Parameter("contextDirection", "code"),
        Parameter("filter", "string"),
        Parameter("date", "dateTime"),
        Parameter("offset", "integer"),
        Parameter("count", "integer"),
        Parameter("includeDesignations", "boolean"),
        Parameter("designation", "string", repeats=True),
        Parameter("includeDefinition", "boolean"),
        Parameter("activeOnly", "boolean"),
        Parameter("excludeNested", "boolean"),
        Parameter("excludeNotForUI", "boolean"),
        Parameter("excludePostCoordinated", "boolean"),
        Parameter("displayLanguage", "string"),
        Parameter("exclude-system", "canonical", repeats=True),
        Parameter("property", "code", repeats=True),
        *SCOPE_PARAMETERS,
    ),
    types=frozenset({"ValueSet"}),
)
