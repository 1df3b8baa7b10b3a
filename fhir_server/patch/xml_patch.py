"""XML Patch of a resource: RFC 5261 over its XML. https://hl7.org/fhir/R4/http.html#patch"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from fhir_server.errors import InvalidContent, InvalidResource, MalformedContent
from fhir_server.patch.documents import Element, Node, Text, clone, parse_document, serialize
from fhir_server.patch.refusals import Inapplicable, check_count, check_result, malformed, not_a_patch
from fhir_server.patch.selectors import Attribute, NotASelector, fhirpath, parse_selector, select
from fhir_server.spec.xml_format import decode_xml, encode_xml
from fhir_server.spec.xml_narrative import embeddable

_POSITIONS = ("prepend", "before", "after")
_WHITE_SPACE = ("before", "after", "both")
_NAMESPACE = "namespace::"


def apply_xml_patch(resource: dict[str, Any], diff: bytes) -> dict[str, Any]:
    """Returns the resource with the operations of `diff` applied in their order.

    `<diff xmlns="http://hl7.org/fhir"><replace sel="f:Patient/f:active/@value">false</replace></diff>`. Raises
    MalformedContent or InvalidContent where it is no XML Patch, InvalidResource where an operation does not fit or
    what it leaves is not FHIR: then nothing is applied.
    """
    document = patch_document(encode_xml(resource), diff)
    try:
        patched = decode_xml(document)
    except (InvalidContent, MalformedContent) as error:
        raise InvalidResource(
            f"The patch leaves no FHIR: {error.english}",
            f"Le patch ne laisse pas de FHIR : {error.french}",
            rule=error.rule,
            expression=error.expression,
            issues=error.issues,
        ) from None
    _keep_spelling(resource, patched)
    return check_result(patched, resource)


def patch_document(target: bytes, diff: bytes) -> bytes:
    """Returns any XML document with the operations of `diff` applied."""
    document = parse_document(target)
    root = parse_document(diff).elements()[0]
    operations = root.elements()
    if not operations or root.content().strip():
        raise not_a_patch(
            "An XML Patch is an element that holds `add`, `replace` and `remove`.",
            "Un XML Patch est un élément qui contient `add`, `replace` et `remove`.",
        )
    check_count(len(operations))
    for number, operation in enumerate(operations, 1):
        _run(document, number, operation)
    return serialize(document).encode()


def _run(document: Element, number: int, operation: Element) -> None:
    name, selector = operation.local, operation.attributes.get("sel")
    if name not in _RUNNERS:
        names = ", ".join(f"`{each}`" for each in _RUNNERS)
        raise malformed(number, f"`{name}` is none of {names}.", f"`{name}` n’est pas l’un de {names}.")
    if not selector:
        raise malformed(number, f"`{name}` needs an attribute `sel`.", f"`{name}` demande un attribut `sel`.")
    try:
        steps = parse_selector(selector, operation.namespace)
    except NotASelector as fault:
        raise malformed(
            number,
            f"`sel` cannot be read at `{fault}`; it takes paths such as `f:Patient/f:name[1]/f:family/@value`.",
            f"`sel` est illisible à `{fault}` ; il prend des chemins tels que `f:Patient/f:name[1]/f:family/@value`.",
        ) from None
    try:
        _RUNNERS[name](_only(select(document, steps)), operation)
    except _Malformed as fault:
        raise malformed(number, fault.english, fault.french) from None
    except Inapplicable as fault:
        raise fault.refusal(number, f"{name} {selector}", fhirpath(steps)) from None


class _Malformed(Inapplicable):
    """An operation that fits no document."""


def _only(found: list[Node | Attribute]) -> Node | Attribute:
    if len(found) != 1:
        raise Inapplicable(
            f"the selector finds {len(found)} nodes, not one.",
            f"le sélecteur trouve {len(found)} nœuds, et non un seul.",
        )
    return found[0]


def _add(target: Node | Attribute, operation: Element) -> None:
    kind, position = operation.attributes.get("type", ""), operation.attributes.get("pos", "")
    if position not in ("", *_POSITIONS):
        names = ", ".join(f"`{each}`" for each in _POSITIONS)
        raise _Malformed(f"`pos` must be one of {names}.", f"`pos` doit être l’un de {names}.")
    if isinstance(target, Attribute):
        raise Inapplicable("nothing can be added to an attribute.", "rien ne s’ajoute à un attribut.")
    if position in ("before", "after"):
        _add_beside(target, operation, int(position == "after"))
    elif not isinstance(target, Element):
        raise Inapplicable("only an element can hold more.", "seul un élément peut contenir davantage.")
    elif kind.startswith("@"):
        _add_attribute(target, kind[1:], operation)
    elif kind.startswith(_NAMESPACE):
        target.declarations[kind.removeprefix(_NAMESPACE)] = operation.content().strip()
    elif kind:
        raise _Malformed(
            "`type` must be `@` and a name, or `namespace::` and a prefix.",
            "`type` doit être `@` et un nom, ou `namespace::` et un préfixe.",
        )
    else:
        at = 0 if position == "prepend" else len(target.children)
        target.children[at:at] = [clone(child, target) for child in operation.children]


def _add_beside(target: Node, operation: Element, offset: int) -> None:
    parent = target.parent
    if parent is None or not parent.name:
        raise _root_only()
    at = parent.children.index(target) + offset
    parent.children[at:at] = [clone(child, parent) for child in operation.children]


def _root_only() -> Inapplicable:
    return Inapplicable(
        "a document has one root element, which stays.", "un document a un seul élément racine, qui reste."
    )


def _add_attribute(target: Element, name: str, operation: Element) -> None:
    if name in target.attributes:
        raise Inapplicable(
            f"the attribute `{name}` is there already; `replace` changes it.",
            f"l’attribut `{name}` existe déjà ; `replace` le modifie.",
        )
    target.attributes[name] = operation.content()


def _replace(target: Node | Attribute, operation: Element) -> None:
    if isinstance(target, Attribute):
        target.parent.attributes[target.name] = operation.content()
    elif isinstance(target, Text):
        target.text = operation.content()
    else:
        parent = target.parent
        if parent is None or not parent.name:
            raise _root_only()
        new = [child for child in operation.children if isinstance(child, type(target))]
        if len(new) != 1 or (operation.content().strip()) or len(operation.elements()) > len(new):
            raise _Malformed(
                "`replace` must hold exactly one node of the kind that it replaces.",
                "`replace` doit contenir exactement un nœud du genre de celui qu’il remplace.",
            )
        parent.children[parent.children.index(target)] = clone(new[0], parent)


def _remove(target: Node | Attribute, operation: Element) -> None:
    if isinstance(target, Attribute):
        del target.parent.attributes[target.name]
        return
    parent = target.parent
    if parent is None or not parent.name:
        raise _root_only()
    space = operation.attributes.get("ws", "")
    if space not in ("", *_WHITE_SPACE):
        names = ", ".join(f"`{each}`" for each in _WHITE_SPACE)
        raise _Malformed(f"`ws` must be one of {names}.", f"`ws` doit être l’un de {names}.")
    at = parent.children.index(target)
    before = space in ("before", "both") and at > 0 and _is_space(parent.children[at - 1])
    after = space in ("after", "both") and at + 1 < len(parent.children) and _is_space(parent.children[at + 1])
    del parent.children[at - before : at + 1 + after]


def _is_space(node: Node) -> bool:
    return isinstance(node, Text) and not node.text.strip()


_RUNNERS: dict[str, Callable[[Node | Attribute, Element], None]] = {
    "add": _add,
    "replace": _replace,
    "remove": _remove,
}


def _keep_spelling(resource: dict[str, Any], patched: dict[str, Any]) -> None:
    """Gives each narrative that the patch left alone the very text it had: a rewritten one differs in spelling."""
    spellings = {
        serialize(parse_document((embeddable(div) or "").encode())): div
        for div in [narrative["div"] for narrative in _narratives(resource)]
    }
    for narrative in _narratives(patched):
        narrative["div"] = spellings.get(narrative["div"], narrative["div"])


def _narratives(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if isinstance(node.get("div"), str):
            yield node
        for value in node.values():
            yield from _narratives(value)
    elif isinstance(node, list):
        for value in node:
            yield from _narratives(value)
