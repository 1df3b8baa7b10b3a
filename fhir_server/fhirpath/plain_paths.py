"""Source for steps along a path: a named element, its existence, the types of a choice."""

from __future__ import annotations

from fhir_server.fhirpath import types
from fhir_server.fhirpath.code import Code, Many, Nothing, NotPlain, One, Options, Result, Truth
from fhir_server.fhirpath.types import Choice, Element


def step(code: Code, parent: Result, name: str, *, guarded: bool = True) -> Result:
    """Returns the element of that name below the parent; a choice element is not read before its type is asked for."""
    if isinstance(parent, Nothing):
        return parent
    holder = container(parent)
    element = find(holder.type_name, name)
    if element is None:
        return Nothing()
    if len(element.choices) > 1:
        return Options(holder, element)
    return read(code, holder, element.choices[0], many=element.many, guarded=guarded)


def container(parent: Result) -> One | Many:
    """Returns the parent when its elements can be read from JSON; a choice must have been `typed` before."""
    if (
        not isinstance(parent, One | Many)
        or types.is_primitive(parent.type_name)
        or parent.type_name.startswith("System.")
    ):
        raise NotPlain
    return parent


def find(type_name: str, name: str) -> Element | None:
    """Returns the element; below `Resource` only those that every resource shares are known."""
    found = types.elements(type_name).get(name)
    if found is None and type_name in types.RESOURCE_ROOTS:
        found = types.elements("DomainResource").get(name)
        if found is None:
            raise NotPlain
    return found


def read(code: Code, parent: One | Many, choice: Choice, *, many: bool, guarded: bool = True) -> One | Many:
    """Writes the reading of one JSON property and returns where its value is.

    A guarded reading leaves for the interpreter when the primitive has a sibling with extensions.
    """
    if isinstance(parent, Many):
        return _read_each(code, parent, choice, many=many, guarded=guarded)
    holder, key = parent.code, repr(choice.key)
    if guarded and choice.sibling:
        test = f"{choice.sibling!r} in {holder}"
        code.put(f"if {test if parent.sure else f'{holder} is not None and {test}'}: raise HasExtensions")
    default = ", ()" if many else ""
    value = f"{holder}.get({key}{default})"
    if not parent.sure:
        value += f" if {holder} is not None else {'()' if many else 'None'}"
    variable = code.assign(value)
    return Many(variable, choice.type_name) if many else One(variable, choice.type_name)


def _read_each(code: Code, parent: Many, choice: Choice, *, many: bool, guarded: bool) -> Many:
    found, item = code.assign("[]"), code.fresh()
    with code.block(f"for {item} in {parent.code}:"):
        if guarded and choice.sibling:
            code.put(f"if {choice.sibling!r} in {item}: raise HasExtensions")
        value = code.assign(f"{item}.get({choice.key!r})")
        code.put(f"if {value} is not None: {found}.{'extend' if many else 'append'}({value})")
    return Many(found, choice.type_name)


def typed(code: Code, options: Options, specifier: str) -> Result:
    """Returns the choice element read as the type that `as` or `ofType` asks for."""
    fitting = [choice for choice in options.element.choices if types.fits(choice.type_name, specifier)]
    if not fitting:
        return Nothing()
    if len(fitting) > 1:
        raise NotPlain
    return read(code, options.parent, fitting[0], many=False)


def has(code: Code, parent: Result, name: str) -> Truth:
    """Writes the test whether the parent has the element, extensions of a primitive without value included."""
    if isinstance(parent, Nothing):
        return Truth("False", sure=True)
    holder = container(parent)
    element = find(holder.type_name, name)
    if element is None:
        return Truth("False", sure=True)
    if isinstance(holder, One):
        test = _presence(code, holder.code, element)
        return Truth(code.assign(test if holder.sure else f"{holder.code} is not None and {test}"), sure=True)
    found, item = code.assign("False"), code.fresh()
    with code.block(f"for {item} in {holder.code}:"), code.block(f"if {_presence(code, item, element)}:"):
        code.put(f"{found} = True")
        code.put("break")
    return Truth(found, sure=True)


def _presence(code: Code, holder: str, element: Element) -> str:
    keys = [key for choice in element.choices for key in (choice.key, choice.sibling) if key]
    if len(keys) > 2:
        return f"not {code.constant(frozenset(keys))}.isdisjoint({holder})"
    if element.many:
        tests = [f"{holder}.get({keys[0]!r}, ()) != ()", *(f"{key!r} in {holder}" for key in keys[1:])]
        return f"({' or '.join(tests)})"
    return f"({' or '.join(f'{key!r} in {holder}' for key in keys)})"
