"""The quick look: generated source that says of a value whether all is well, and nothing else.

A check finds what is wrong and where; most resources are well, and for them that machinery is idle work. So a check
may bring a writer, which writes the same question as lines of one function that returns False at the first doubt. A
check without one is called. False refuses nothing: it asks the checks themselves, whose answer is the one that counts.

The lines name the value as the writer is told, and the context as `c`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from fhir_server.fhirpath.code import Code
from fhir_server.spec.shared_parts import part_by_identity

if TYPE_CHECKING:
    from fhir_server.validation.findings import Check, Context, Findings

Writer = Callable[[Code, str], None]
"""Writes the lines that return False unless the value of that name is well."""
Test = Callable[[Any, "Context"], bool]
"""True where all is well; False where that is not so, or not known."""
Cell = list[Test]
"""Holds one test, which a better one may replace; whoever calls it looks here each time."""

_WRITER = "write_quick"
_PARTS_WRITER = "write_parts"
_DEEPEST = 10
"""Indentation after which what follows becomes a function of its own."""


def with_writer(check: Check, writer: Writer) -> Check:
    """Returns `check`, which brings `writer` from now on."""
    setattr(check, _WRITER, writer)
    return check


def write(code: Code, check: Check, value: str) -> None:
    """Writes the question whether `check` finds nothing about the value of that name."""
    writer: Writer | None = getattr(check, _WRITER, None)
    with code.part(check):
        if writer is None:
            code.put(f"if {code.constant(check)}({value}, c) is not None: return False")
        elif code.depth > _DEEPEST:
            code.put(f"if not {code.constant(quick_test(check))}({value}, c): return False")
        else:
            writer(code, value)


def write_call(code: Code, value: str, cell: Cell) -> None:
    """Writes the call of the test that is in `cell` by then."""
    code.put(f"if not {code.constant(cell)}[0]({value}, c): return False")


@contextmanager
def remembered(code: Code, of: Any, value: str) -> Iterator[None]:
    """Encloses the questions about a value that many resources may share: of a part that was well once, without regard
    to what lies outside it, they are not asked again. `of` stands for the questions.
    """
    part, key = code.assign(f"{code.constant(part_by_identity)}(id({value}))"), code.constant(of)
    with code.block(f"if {part} is None or {key} not in {part}.facts:"):
        before = code.assign("c.was_asked")
        code.put("c.was_asked = False")
        yield
        code.put(f"if not c.was_asked and {part} is not None: {part}.facts[{key}] = True")
        code.put(f"if {before}: c.was_asked = True")


def write_remembered(code: Code, check: Check, value: str) -> None:
    """Writes the question whether `check` finds nothing about a part, or about a list of parts."""
    writer: Writer | None = getattr(check, _PARTS_WRITER, None)
    with remembered(code, check, value):
        if writer is None:
            write(code, check, value)
        else:
            writer(code, value)


def with_parts_writer(check: Check, writer: Writer) -> Check:
    """Returns `check`, which brings `writer` for values that are made of parts."""
    setattr(check, _PARTS_WRITER, writer)
    return check


def with_test(method: Check, test: Test) -> Check:
    """Returns the check that `method` does, whose quick look is `test`."""

    def check_method(value: Any, context: Context) -> Findings | None:
        return method(value, context)

    return with_writer(check_method, partial(write_call, cell=[test]))


def quick_test(check: Check) -> Test:
    """Returns the test that `check` finds nothing."""
    code = Code()
    writer: Writer | None = getattr(check, _WRITER, None)
    if writer is None:
        write(code, check, "v")
    else:
        writer(code, "v")
    code.put("return True")
    test: Test = code.function("is_well", "v, c")
    return test


def late_cell(find_check: Callable[[], Check]) -> Cell:
    """Returns a cell whose test is made at its first use."""

    def first(value: Any, context: Context) -> bool:
        cell[0] = quick_test(find_check())
        return cell[0](value, context)

    cell: Cell = [first]
    return cell
