"""Slices of repeating elements: which values belong to which, how many, in which order, and whether others may be
there.

https://hl7.org/fhir/R4/profiling.html#slicing
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from fhir_server.fhirpath.code import Code
from fhir_server.validation import profile_messages as messages
from fhir_server.validation.discriminator_paths import Step, values_at
from fhir_server.validation.discriminators import Expectation
from fhir_server.validation.findings import Check, Context, Finding, Findings, all_well, joined
from fhir_server.validation.quick import Writer, write

_WRITER = "write_quick"
Numbered = Sequence[tuple[int, Any]]
SlicesCheck = Callable[[Numbered, Context], Findings | None]
"""A check of the values of one element with their indexes; its findings start with `[index]`, or stand for the element.
"""


@dataclass(slots=True)
class Slice:
    """One slice: what decides that a value is of it, how many there may be, and what it says about each."""

    name: str
    expectations: tuple[tuple[tuple[Step, ...] | None, Expectation], ...]
    minimum: int
    maximum: int | None
    check: Check
    inner: SlicesCheck | None = None
    constant: Any = field(default=None)

    @property
    def is_certain(self) -> bool:
        """False where a value may be of the slice though nobody here can tell: then none is missed, none too much."""
        return all(expectation.is_certain for _, expectation in self.expectations)

    @property
    def text(self) -> str:
        """What people know the slice by: its value, or its type."""
        return ", ".join(expectation.text for _, expectation in self.expectations if expectation.text)

    @property
    def types(self) -> tuple[str, ...]:
        """The types that a slice by type asks for."""
        return self.expectations[0][1].types if len(self.expectations) == 1 else ()

    @property
    def coding(self) -> tuple[str | None, str, str] | None:
        """The child (None: the value itself), system and code of the one coding that decides; None where it is more."""
        if len(self.expectations) != 1 or (coding := self.expectations[0][1].coding) is None:
            return None
        steps = self.expectations[0][0] or ()
        if len(steps) > 1 or any(step.function != "child" for step in steps):
            return None
        return (steps[0].argument if steps else None, *coding)

    def holds(self, value: Any, context: Context) -> bool:
        """True where `value` is of this slice: at each path some value is as the slice says."""
        for steps, expectation in self.expectations:
            if steps is None:
                if not expectation.matches(value, context):
                    return False
            elif not any(expectation.matches(one, context) for one in values_at(value, steps, context)):
                return False
        return bool(self.expectations)


@dataclass(slots=True)
class Slicing:
    """All slices of one element and their rules: `open`, `closed` or `openAtEnd`, `ordered` or not."""

    slices: list[Slice]
    rules: str
    is_ordered: bool
    key: str | None = None
    """The name of the child that alone decides by a constant, such as `url`; None where more is needed."""
    type_of: Callable[[Any, Context], str | None] | None = None
    """Reads the type that alone decides; None where more is needed."""
    default: Slice | None = None
    """The slice `@default`: what no other slice takes."""

    @property
    def all_slices(self) -> list[Slice]:
        """The slices by position, `@default` last."""
        return self.slices if self.default is None else [*self.slices, self.default]


def slices_check(slicing: Slicing) -> SlicesCheck:
    """Returns the check of all the values of a sliced element."""
    find = _finder_or_default(slicing)
    slices = slicing.all_slices
    bounded = [(i, s) for i, s in enumerate(slices) if s.minimum or s.maximum is not None]
    follows_order = slicing.is_ordered or slicing.rules == "openAtEnd"

    def check_slices(values: Numbered, context: Context) -> Findings | None:
        found: Findings | None = None
        members: list[list[tuple[int, Any]]] = [[] for _ in slices]
        places: list[tuple[int, int]] = []
        for index, value in values:
            position = find(value, context)
            places.append((index, position))
            if position < 0:
                if slicing.rules == "closed":
                    problem = messages.slice_closed([one.name for one in slices])
                    found = joined(found, [problem], f"[{index}]")
                continue
            members[position].append((index, value))
            problems = slices[position].check(value, context)
            if problems is not None:
                found = joined(found, problems, f"[{index}]")
        for position, part in bounded:
            count = len(members[position])
            if count < part.minimum or (part.maximum is not None and count > part.maximum):
                found = joined(found, [_miscounted(part, count)])
        for part, own in zip(slices, members, strict=True):
            if part.inner is not None and (problems := part.inner(own, context)) is not None:
                found = joined(found, problems)
        return _in_order(slicing, places, found) if follows_order else found

    may_be_quick = not follows_order and all(part.inner is None for part in slices)
    return _with_writer(check_slices, partial(_write_members, slicing, find)) if may_be_quick else check_slices


def _with_writer(check: SlicesCheck, writer: Writer) -> SlicesCheck:
    setattr(check, _WRITER, writer)
    return check


def write_slices(code: Code, check: SlicesCheck, values: str) -> None:
    """Writes the question whether `check` finds nothing about the values of an element."""
    writer: Writer | None = getattr(check, _WRITER, None)
    with code.part(check):
        if writer is None:
            code.put(f"if {code.constant(check)}(tuple(enumerate({values})), c) is not None: return False")
        else:
            writer(code, values)


def _write_members(slicing: Slicing, find: Callable[[Any, Context], int], code: Code, values: str) -> None:
    slices = slicing.all_slices
    bounded = [i for i, part in enumerate(slices) if part.minimum or part.maximum is not None]
    counters = {i: code.assign("0") for i in bounded}
    one, position = code.fresh(), code.fresh()
    with code.block(f"for {one} in {values}:"):
        code.put(f"{position} = {code.constant(find)}({one}, c)")
        if slicing.rules == "closed":
            code.put(f"if {position} < 0: return False")
        word = "if"
        for i, part in enumerate(slices):
            if i not in counters and part.check is all_well:
                continue
            with code.block(f"{word} {position} == {i}:"):
                if i in counters:
                    code.put(f"{counters[i]} += 1")
                write(code, part.check, one)
            word = "elif"
    for i, counter in counters.items():
        part = slices[i]
        if part.minimum:
            code.put(f"if {counter} < {part.minimum}: return False")
        if part.maximum is not None:
            code.put(f"if {counter} > {part.maximum}: return False")


def _miscounted(part: Slice, count: int) -> Finding:
    if part.maximum is not None and count > part.maximum:
        return messages.slice_too_many(part.name, part.text, part.maximum, count)
    return messages.slice_too_few(part.name, part.text, part.minimum, count)


def _in_order(slicing: Slicing, places: Iterable[tuple[int, int]], found: Findings | None) -> Findings | None:
    last = 0
    stranger: int | None = None
    for index, position in places:
        if position < 0:
            stranger = index
            continue
        if slicing.rules == "openAtEnd" and stranger is not None:
            found = joined(found, [messages.slice_not_at_end()], f"[{index}]")
        if slicing.is_ordered and position < last:
            found = joined(found, [messages.slice_order(slicing.all_slices[position].name)], f"[{index}]")
        last = max(last, position)
    return found


def _finder_or_default(slicing: Slicing) -> Callable[[Any, Context], int]:
    find = _finder(slicing)
    if slicing.default is None:
        return find
    last = len(slicing.slices)

    def find_or_default(value: Any, context: Context) -> int:
        position = find(value, context)
        return last if position < 0 else position

    return find_or_default


def _finder(slicing: Slicing) -> Callable[[Any, Context], int]:
    """Returns what finds the position of a value's slice, or -1."""
    if slicing.key is not None:
        key = slicing.key
        positions = {part.constant: position for position, part in enumerate(slicing.slices)}

        def find_by_key(value: Any, _context: Context) -> int:
            constant = value.get(key) if type(value) is dict else None
            return positions.get(constant, -1) if type(constant) is str else -1

        return find_by_key
    slices = slicing.slices
    if all(part.coding is not None for part in slices):
        return _finder_by_coding(slices)
    if slicing.type_of is not None:
        type_of = slicing.type_of
        by_type = {name: position for position, part in reversed([*enumerate(slices)]) for name in part.types}

        def find_by_type(value: Any, context: Context) -> int:
            name = type_of(value, context)
            return -1 if name is None else by_type.get(name, -1)

        return find_by_type

    def find(value: Any, context: Context) -> int:
        for position, part in enumerate(slices):
            if part.holds(value, context):
                return position
        return -1

    return find


def _finder_by_coding(slices: Sequence[Slice]) -> Callable[[Any, Context], int]:
    """Returns what finds the first slice that one of a concept's codings stands for, by one look-up each."""
    positions: dict[tuple[Any, Any, Any], int] = {}
    for position, part in enumerate(slices):
        positions.setdefault(part.coding or ("", "", ""), position)
    steps = {part.coding[0]: part.expectations[0][0] or () for part in slices if part.coding}

    def find_by_coding(value: Any, context: Context) -> int:
        found = len(slices)
        for name in steps:
            concepts = [value] if name is None else values_at(value, steps[name], context)
            for concept in concepts:
                codings = concept.get("coding") if type(concept) is dict else None
                for coding in codings if type(codings) is list else ():
                    if type(coding) is dict:
                        system, code = coding.get("system"), coding.get("code")
                        if type(system) is str and type(code) is str:
                            found = min(found, positions.get((name, system, code), found))
        return found if found < len(slices) else -1

    return find_by_coding
