"""FHIRPath functions that ask what a collection holds. https://hl7.org/fhirpath/N1/#existence

Tables by name: the allowed numbers of arguments, and the function. A plain function gets its arguments' values; one
with criteria gets the steps themselves, to run on each item.
"""

from __future__ import annotations

from collections.abc import Callable

from fhir_server.fhirpath import types
from fhir_server.fhirpath.operators import boolean, contains_node, distinct, truth, truth_node
from fhir_server.fhirpath.scope import Scope, Step
from fhir_server.fhirpath.values import INTEGER, Nodes, evaluation_error, kind


def holds(criteria: Step, nodes: Nodes, scope: Scope) -> list[bool | None]:
    """Returns what the criteria say of each item."""
    return [truth(criteria([node], scope.inside([node], index))) for index, node in enumerate(nodes)]


def _flags(nodes: Nodes) -> list[bool]:
    if any(kind(node[0]) != "boolean" for node in nodes):
        raise evaluation_error("Only booleans can be tested so.", "Seuls des booléens peuvent être testés ainsi.")
    return [node[1] is True for node in nodes]


def _has_value(nodes: Nodes, _scope: Scope) -> Nodes:
    if len(nodes) != 1:
        return [boolean(False)]
    type_name, value, _ = nodes[0]
    primitive = type_name.startswith("System.") or types.is_primitive(type_name)
    return [boolean(primitive and value is not None)]


def _not(nodes: Nodes, _scope: Scope) -> Nodes:
    value = truth(nodes)
    return truth_node(None if value is None else not value)


def _subset(nodes: Nodes, others: Nodes) -> Nodes:
    return [boolean(all(contains_node(others, node) for node in nodes))]


def _first_exists(criteria: Step, nodes: Nodes, scope: Scope) -> bool:
    return any(truth(criteria([node], scope.inside([node], index))) is True for index, node in enumerate(nodes))


def _all(nodes: Nodes, scope: Scope, criteria: Step) -> Nodes:
    return [boolean(all(value is True for value in holds(criteria, nodes, scope)))]


def _any(nodes: Nodes, scope: Scope, criteria: Step) -> Nodes:
    return [boolean(_first_exists(criteria, nodes, scope))]


def _type(nodes: Nodes, _scope: Scope) -> Nodes:
    infos = []
    for type_name, _, _ in nodes:
        namespace, _, name = type_name.rpartition(".")
        if namespace == "System":
            infos.append((types.TYPE_INFO, {"namespace": "System", "name": name}, None))
        else:
            infos.append((types.TYPE_INFO, {"namespace": "FHIR", "name": types.public_name(type_name)}, None))
    return infos


def _extension(nodes: Nodes, url: Nodes) -> Nodes:
    wanted = url[0][1] if url else None
    found = []
    for _, value, extra in nodes:
        holder = value if isinstance(value, dict) else extra
        if isinstance(holder, dict):
            found += [("Extension", each, None) for each in holder.get("extension", ()) if each.get("url") == wanted]
    return found


PLAIN: dict[str, tuple[set[int], Callable[..., Nodes]]] = {
    "empty": ({0}, lambda nodes, _: [boolean(not nodes)]),
    "exists": ({0}, lambda nodes, _: [boolean(bool(nodes))]),
    "any": ({0}, lambda nodes, _: [boolean(bool(nodes))]),
    "not": ({0}, _not),
    "hasValue": ({0}, _has_value),
    "getValue": ({0}, lambda nodes, scope: nodes if _has_value(nodes, scope)[0][1] else []),
    "count": ({0}, lambda nodes, _: [(INTEGER, len(nodes), None)]),
    "allTrue": ({0}, lambda nodes, _: [boolean(all(_flags(nodes)))]),
    "anyTrue": ({0}, lambda nodes, _: [boolean(any(_flags(nodes)))]),
    "allFalse": ({0}, lambda nodes, _: [boolean(not any(_flags(nodes)))]),
    "anyFalse": ({0}, lambda nodes, _: [boolean(not all(_flags(nodes)))]),
    "subsetOf": ({1}, lambda nodes, _, others: _subset(nodes, others)),
    "supersetOf": ({1}, lambda nodes, _, others: _subset(others, nodes)),
    "distinct": ({0}, lambda nodes, _: distinct(nodes)),
    "isDistinct": ({0}, lambda nodes, _: [boolean(len(distinct(nodes)) == len(nodes))]),
    "type": ({0}, _type),
    "extension": ({1}, lambda nodes, _, url: _extension(nodes, url)),
    "hasExtension": ({1}, lambda nodes, _, url: [boolean(bool(_extension(nodes, url)))]),
    # The narrative's XHTML is checked with the resource's structure; no rule of it is FHIRPath's to decide.
    "htmlChecks": ({0}, lambda _nodes, _: [boolean(True)]),
    # A value set is terminology's to answer: without one, FHIRPath says nothing.
    "memberOf": ({1}, lambda _nodes, _, _canonical: []),
}
WITH_CRITERIA: dict[str, tuple[set[int], Callable[..., Nodes]]] = {
    "exists": ({1}, _any),
    "any": ({1}, _any),
    "all": ({1}, _all),
}


def _conforms_to(nodes: Nodes, _scope: Scope, canonical: Nodes) -> Nodes:
    if not nodes or not canonical:
        return []
    prefix, _, name = str(canonical[0][1]).rpartition("/")
    if prefix != "http://hl7.org/fhir/StructureDefinition" or not types.is_known(name):
        raise evaluation_error(
            f"Profile `{canonical[0][1]}` is not one of R4's types.",
            f"Le profil `{canonical[0][1]}` n’est pas un type de R4.",
        )
    return [boolean(types.matches(nodes[0][0], name))]


PLAIN["conformsTo"] = ({1}, _conforms_to)
