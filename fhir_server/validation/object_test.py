"""Quick looks at objects: source that knows the names met so far, and is written anew when there are more.

R4's types have more elements than anyone uses; a function that knows those in use is short. A name that is right but
new makes the quick look say False once: then the checks have their say, and the name is learnt.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fhir_server.fhirpath.code import Code
from fhir_server.validation.findings import all_well
from fhir_server.validation.quick import Cell, Test, write, write_remembered

if TYPE_CHECKING:
    from fhir_server.validation.findings import Context, Findings
    from fhir_server.validation.structure import ObjectShape

Stray = Callable[[dict[str, Any], str, "Context"], "Findings | None"]
"""Checks the `_name` of an object."""


def _never(_value: Any, _context: Context) -> bool:
    return False


class ObjectTest:
    """The test of the objects of one shape; `cell` always holds the latest."""

    def __init__(self, shape: ObjectShape, stray: Stray) -> None:
        self.names: frozenset[str] = frozenset()
        self.cell: Cell = [_never]
        self._shape = shape
        self._stray = stray

    def learnt(self, node: dict[str, Any], found: Findings | None) -> Findings | None:
        """Takes in the names of an object that nothing was found about, and returns `found` as it is.

        The source is written at the next use.
        """
        if found is None and not node.keys() <= self.names:
            self.names = self.names.union(node)
            self.cell[0] = self._write_and_test
        return found

    def _write_and_test(self, value: Any, context: Context) -> bool:
        test = self.cell[0] = self._build()
        return test(value, context)

    def _build(self) -> Test:
        shape, code = self._shape, Code()
        required = [name for name in shape.required if name in self.names]
        code.put("if type(v) is not dict: return False")
        code.put(f"m = len(v) - {len(required)}")
        if shape.is_beside_value:
            code.put("if not v: return False")
        elif not shape.is_resource:
            code.put("if len(v) < 2 and (not v or 'id' in v): return False")
        for name in required:
            code.put(f"if {name!r} not in v: return False")
            self._write_element(code, name)
        self._write_others(code, [name for name in self.names if name not in required])
        code.put("if m: return False")
        for rule in (*shape.rules, shape.invariants):
            write(code, rule, "v")
        code.put("return True")
        test: Test = code.function("is_well", "v, c")
        return test

    def _write_others(self, code: Code, names: list[str]) -> None:
        """Writes what is asked of names that may be absent; of a choice, that no two are there."""
        shape = self._shape
        counters: dict[str, str] = {}
        for element, group in shape.choices.items():
            known = [name for name in names if name in group]
            if len(known) > 1 or element in shape.required_choices:
                counter = code.assign("0")
                counters |= dict.fromkeys(known, counter)
        for name in sorted(names):
            with code.block(f"if {name!r} in v:"):
                code.put("m -= 1")
                if name in counters:
                    code.put(f"if {counters[name]}: return False")
                    code.put(f"{counters[name]} = 1")
                self._write_element(code, name)
        for element in shape.required_choices:
            known = [name for name in names if name in shape.choices[element]]
            code.put(f"if not {counters[known[0]]}: return False" if known else "return False")

    def _write_element(self, code: Code, name: str) -> None:
        check = self._shape.elements.get(name)
        if check is None:
            code.put(f"if {code.constant(self._stray)}(v, {name!r}, c) is not None: return False")
        elif check is not all_well:
            value = code.assign(f"v[{name!r}]")
            if self._shape.has_parts and f"_{name}" not in self._shape.shadows:
                write_remembered(code, check, value)
            else:
                write(code, check, value)
