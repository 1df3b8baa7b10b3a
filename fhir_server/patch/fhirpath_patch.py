"""FHIRPath Patch of a resource: add, insert, delete, replace, move. https://hl7.org/fhir/R4/fhirpatch.html"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fhir_server.errors import InvalidContent, NotSupported
from fhir_server.fhirpath.syntax import Member
from fhir_server.patch.parameters import Operation, build, choose, find_element, put, read_operations
from fhir_server.patch.places import Finder, Place, read_list, write_list
from fhir_server.patch.refusals import Inapplicable, check_result, copied


def apply_fhirpath_patch(resource: dict[str, Any], parameters: Any) -> dict[str, Any]:
    """Returns the resource with the operations of `parameters`, a `Parameters` resource, applied in their order.

    Raises InvalidContent where it is no such patch, NotSupported for a path that leads to no place, InvalidResource
    where an operation does not fit the resource: then nothing is applied.
    """
    operations = read_operations(parameters)
    patched: dict[str, Any] = copied(resource)
    for number, operation in enumerate(operations, 1):
        shown = f"{operation.kind} {operation.path}"
        try:
            _RUNNERS[operation.kind](Finder(patched), operation)
        except Inapplicable as fault:
            raise fault.refusal(number, shown, operation.path) from None
        except (InvalidContent, NotSupported) as error:
            raise type(error)(
                f"Operation {number} (`{shown}`): {error.english}",
                f"Opération {number} (`{shown}`) : {error.french}",
                rule=error.rule,
                expression=[operation.path],
            ) from None
    return check_result(patched, resource)


def _only(places: list[Place]) -> Place:
    if len(places) == 1:
        return places[0]
    if not places:
        raise Inapplicable("the path finds nothing.", "le chemin ne trouve rien.")
    raise _too_many(places)


def _too_many(places: list[Place]) -> Inapplicable:
    shown = ", ".join(f"`{place.path()}`" for place in places[:3])
    return Inapplicable(
        f"the path finds {len(places)} elements, not one: {shown}.",
        f"le chemin trouve {len(places)} éléments, et non un seul : {shown}.",
    )


def _add(finder: Finder, operation: Operation) -> None:
    place = _only(finder.find(operation.tree))
    type_name, owner = place.inside()
    put(owner, type_name, operation.name, operation.value)


def _replace(finder: Finder, operation: Operation) -> None:
    place, value = _only(finder.find(operation.tree)), operation.value
    if place.parent is None:
        raise _whole_resource()
    choice = choose(place.element, value)
    content, beside = build(value, choice.type_name)
    if choice.key != place.choice.key:
        place.write(None, None)
        place = Place(place.parent, place.owner, place.element, choice, None)
    place.write(content, beside)


def _delete(finder: Finder, operation: Operation) -> None:
    """Deletes one element; none at all is fine, as the rule says `if found`."""
    places = finder.find(operation.tree)
    if len(places) > 1:
        raise _too_many(places)
    if places and places[0].parent is None:
        raise _whole_resource()
    if places:
        places[0].remove()


def _whole_resource() -> Inapplicable:
    return Inapplicable(
        "the resource itself cannot be replaced or deleted by a patch.",
        "la ressource elle-même ne peut être ni remplacée ni supprimée par un patch.",
    )


def _list(finder: Finder, operation: Operation) -> Place:
    """Returns the place of the list that the path names, which is absent where it is empty."""
    tree = operation.tree
    if not isinstance(tree, Member) or tree.name[0].isupper():
        raise _no_list()
    parents = finder.find(tree.source) if tree.source is not None else [finder.root]
    holders = [parent for parent in parents if parent.children(tree.name)]
    if len(holders) > 1:
        raise _too_many([place for holder in holders for place in holder.children(tree.name)])
    parent = holders[0] if holders else _only(parents)
    type_name, owner = parent.inside()
    element = find_element(type_name, tree.name)
    if not element.many:
        raise _no_list()
    return Place(parent, owner, element, element.choices[0], None)


def _no_list() -> Inapplicable:
    return Inapplicable("the path must name a list.", "le chemin doit désigner une liste.")


def _check_index(name: str, index: int, limit: int) -> None:
    if index > limit:
        raise Inapplicable(
            f"`{name}` is {index}; the list takes 0 to {limit}.", f"`{name}` vaut {index} ; la liste admet 0 à {limit}."
        )


def _insert(finder: Finder, operation: Operation) -> None:
    place = _list(finder, operation)
    value = operation.value
    choice = choose(place.element, value)
    pairs = read_list(place.owner, choice)
    _check_index("index", operation.index, len(pairs))
    pairs.insert(operation.index, build(value, choice.type_name))
    write_list(place.owner, choice, pairs)


def _move(finder: Finder, operation: Operation) -> None:
    place = _list(finder, operation)
    pairs = read_list(place.owner, place.choice)
    if not pairs:
        raise Inapplicable("the list is empty.", "la liste est vide.")
    _check_index("source", operation.source, len(pairs) - 1)
    _check_index("destination", operation.destination, len(pairs) - 1)
    pairs.insert(operation.destination, pairs.pop(operation.source))
    write_list(place.owner, place.choice, pairs)


_RUNNERS: dict[str, Callable[[Finder, Operation], None]] = {
    "add": _add,
    "insert": _insert,
    "delete": _delete,
    "replace": _replace,
    "move": _move,
}
