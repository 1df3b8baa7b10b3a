"""The way to `fhirpathpy` for what this package does not cover."""

from __future__ import annotations

from typing import Any, cast

import fhirpathpy
from fhirpathpy.engine.nodes import ResourceNode
from fhirpathpy.models import models

from fhir_server.fhirpath.scope import Scope, Step
from fhir_server.fhirpath.values import BOOLEAN, DECIMAL, INTEGER, STRING, Node, Nodes, evaluation_error


def engine_step(text: str) -> Step:
    """Returns a step that lets the library evaluate `text` on the focus."""
    evaluate = fhirpathpy.compile(text, models["r4"], {"returnRawData": True})
    create: Any = ResourceNode.create_node

    def step(focus: Nodes, scope: Scope) -> Nodes:
        variables = {"resource": scope.resource and scope.resource[1], "rootResource": scope.root and scope.root[1]}
        start = [create(value, type_name) for type_name, value, _ in focus]
        try:
            return [_node(found) for found in evaluate(cast(Any, start), variables)]
        except Exception as error:  # the library raises bare Exceptions
            raise evaluation_error(
                f"FHIRPath `{text}` fails: {error}.", f"L’expression FHIRPath `{text}` échoue : {error}."
            ) from error

    return step


def _node(found: Any) -> Node:
    if isinstance(found, ResourceNode):
        return (found.path or "Element", found.data, None)
    for python_type, type_name in ((bool, BOOLEAN), (int, INTEGER), (str, STRING)):
        if isinstance(found, python_type):
            return (type_name, found, None)
    return (DECIMAL, found, None)
