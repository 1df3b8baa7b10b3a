"""Walks over resources along the paths of search parameters, as generated source.

The paths of all parameters are one tree, so that the JSON is walked once, and only where something is indexed. What
many resources share (`spec.shared_parts`) is walked once in all: what it writes is kept with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from fhir_server.fhirpath.code import Code
from fhir_server.index.entries import Draft, Packed, Write
from fhir_server.spec.shared_parts import part_by_identity

if TYPE_CHECKING:
    from fhir_server.spec.shared_parts import SharedPart

Visit = Callable[[Draft, Any], None]
Tree = dict[str, tuple[tuple[Write, ...], "Tree | None"]]
"""JSON key → what to write of its values, and the tree for what lies inside them."""


def grow(tree: Tree, path: tuple[str, ...], write: Write) -> None:
    """Adds what to write of the values at the end of a path."""
    visits, below = tree.get(path[0], ((), None))
    if len(path) == 1:
        tree[path[0]] = ((*visits, write), below)
        return
    below = {} if below is None else below
    grow(below, path[1:], write)
    tree[path[0]] = (visits, below)


def visit_of(tree: Tree) -> Visit:
    """Returns the function that walks a resource along `tree` and writes what it finds, as generated source."""
    code = Code()
    _write_visits(code, tree, "node")
    code.put("return None")
    visit: Visit = code.function("visit", "draft, node")
    return visit


def _write_visits(code: Code, tree: Tree, node: str) -> None:
    for key, (visits, below) in tree.items():
        with code.block(f"if {key!r} in {node}:"):
            _write_values(code, visits, below, code.assign(f"{node}[{key!r}]"))


def _write_values(code: Code, visits: Sequence[Write], below: Tree | None, values: str) -> None:
    item = code.fresh()
    with code.block(f"for {item} in {values} if type({values}) is list else ({values},):"):
        # Lists of primitives hold null where only an extension is.
        code.put(f"if {item} is None: continue")
        for write in visits:
            code.put(f"{code.constant(write)}(draft, {item})")
        if below is not None:
            _write_visits(code, below, item)


def visit_by_parts(tree: Tree) -> Visit:
    """Returns what `_visit_of` does, for resources whose parts may be shared: what these write is written once.

    It is for resources that contain none: what a part writes then follows from its value alone.
    """
    code = Code()
    known, entries_of = code.constant(part_by_identity), code.constant(_entries_of)
    for key, (visits, below) in tree.items():
        with code.block(f"if {key!r} in node:"):
            value = code.assign(f"node[{key!r}]")
            if key == "meta" and not visits and below is not None:
                code.put(f"{code.constant(visit_by_parts(below))}(draft, {value})")
                continue
            write = code.constant(_writer_of(visits, below))
            part, item = code.assign(f"{known}(id({value}))"), code.fresh()
            add = f"draft.add({part}.facts.get({write}) or {entries_of}({part}, {write}))"
            code.put(f"if {part} is not None: {add}")
            with code.block(f"elif type({value}) is list:"), code.block(f"for {item} in {value}:"):
                code.put(f"{part} = {known}(id({item}))")
                code.put(f"if {part} is not None: {add}")
                code.put(f"elif {item} is not None: {write}(draft, {item})")
            code.put(f"else: {write}(draft, {value})")
    code.put("return None")
    visit: Visit = code.function("visit", "draft, node")
    return visit


def _writer_of(visits: Sequence[Write], below: Tree | None) -> Write:
    """Returns what writes one value of a member, or several."""
    code = Code()
    _write_values(code, visits, below, "value")
    code.put("return None")
    write: Write = code.function("visit", "draft, value")
    return write


def _entries_of(part: SharedPart, write: Write) -> Packed:
    """Returns what a part writes, and keeps it."""
    draft = Draft()
    write(draft, part.value)
    entries = part.facts[write] = draft.packed()
    return entries
