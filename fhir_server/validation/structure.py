"""Compiled checks of JSON shapes: objects, arrays and primitives. https://hl7.org/fhir/R4/json.html"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from fhir_server.fhirpath.code import Code
from fhir_server.spec import primitives
from fhir_server.validation import messages
from fhir_server.validation.findings import MAX_DEPTH, Check, Context, Finding, Findings, all_well, joined
from fhir_server.validation.object_test import ObjectTest
from fhir_server.validation.quick import with_parts_writer, with_writer, write, write_call, write_remembered

_OFTEN_THE_SAME = frozenset({"canonical", "code", "date", "dateTime", "instant", "oid", "uri", "url"})
"""Primitives whose texts come again and again, so that it pays to remember which are right."""
_WRONG_TYPES = frozenset(
    """
    choice-multiple choice-type depth empty-array empty-object empty-string json-shape null-value
    primitive-array-misaligned resource-type-unknown unknown-element
    """.split()  # noqa: SIM905 a list of strings reads worse
)
"""Rules of findings after which nothing takes the JSON types of a resource for granted; so do all `primitive-…`."""
_MOST_TEXTS, _LONGEST_TEXT = 4096, 256


@dataclass(slots=True)
class ObjectShape:
    """What one complex type or backbone element allows.

    `elements` has a check per JSON name, `shadows` one per `_name`; `steps` the FHIRPath step of names that differ
    from it (`valueQuantity` is `.value`); `required` names, `choices` the JSON names of each choice by element name,
    `required_choices` those that must be there; `rules` look at the whole object. `has_parts` where its members may be
    shared parts.
    """

    elements: dict[str, Check] = field(default_factory=dict)
    shadows: dict[str, Check] = field(default_factory=dict)
    steps: dict[str, str] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    choices: dict[str, tuple[str, ...]] = field(default_factory=dict)
    required_choices: tuple[str, ...] = ()
    rules: tuple[Check, ...] = ()
    invariants: Check = all_well
    is_resource: bool = False
    is_beside_value: bool = False
    has_parts: bool = False
    test: ObjectTest | None = None

    def step(self, key: str) -> str:
        known = self.steps.get(key)
        return known or f".{key[1:] if key in self.shadows else key}"


def object_check(shape: ObjectShape) -> Check:
    """Returns the check of an object: every name known, every value right, all that is required there."""
    elements = shape.elements
    test = shape.test = ObjectTest(shape, partial(_stray, shape))
    required = frozenset(shape.required)
    rules = (*_shape_rules(shape), *shape.rules)
    invariants, is_resource, learnt = shape.invariants, shape.is_resource, test.learnt

    def check_object(node: Any, context: Context) -> Findings | None:
        if type(node) is not dict:
            return [messages.wrong_object(node)]
        found: Findings | None = None
        for key, value in node.items():
            element = elements.get(key)
            problems = _stray(shape, node, key, context) if element is None else element(value, context)
            if problems is not None:
                _note(problems, node, context)
                found = _kept(shape, node, key, found, problems)
        if not node.keys() >= required:
            found = _missing(shape, node, found)
        for rule in rules:
            problems = rule(node, context)
            if problems is not None:
                _note(problems, node, context)
                found = joined(found, problems)
        if invariants is not all_well and (found is None or is_resource or _is_sound(found)):
            found = _with(found, invariants(node, context))
        return learnt(node, found)

    return with_writer(check_object, partial(write_call, cell=test.cell))


def _with(found: Findings | None, problems: Findings | None) -> Findings | None:
    return found if problems is None else joined(found, problems)


def _is_sound(found: Findings) -> bool:
    """True where no finding is about a shape or a value: only then an element's constraints have something to say."""
    return all(finding.code not in ("structure", "value") for finding in found)


def _note(problems: Findings, node: Any, context: Context) -> None:
    """Notes it where one of the problems is about the JSON type of something in `node`."""
    for finding in problems:
        if finding.rule in _WRONG_TYPES or finding.rule.startswith("primitive-"):
            context.untyped.add(id(node))
            break


def _shape_rules(shape: ObjectShape) -> Iterator[Check]:
    """Yields the checks of what must be there together, or may not."""
    if shape.is_beside_value:
        yield _check_not_empty
    elif not shape.is_resource:
        yield _check_content
    if shape.required_choices:
        yield _required_choices_check(shape)
    if shape.choices:
        yield _one_choice_check(shape)


def _check_content(node: Any, _context: Context) -> Findings | None:
    """Every element has a value or children, not an id alone (ele-1)."""
    if len(node) > 1:
        return None
    if not node:
        return [messages.empty("object")]
    return [messages.no_content()] if "id" in node else None


def _check_not_empty(node: Any, _context: Context) -> Findings | None:
    return None if node else [messages.empty("object")]


def _required_choices_check(shape: ObjectShape) -> Check:
    groups = [(name, frozenset(shape.choices[name])) for name in shape.required_choices]

    def check_required_choices(node: Any, _context: Context) -> Findings | None:
        found: Findings | None = None
        for name, group in groups:
            if group.isdisjoint(node):
                listed = [key for key in shape.choices[name] if key[0] != "_"]
                found = joined(found, [messages.missing(listed)], f".{name[:-3]}")
        return found

    return check_required_choices


def _one_choice_check(shape: ObjectShape) -> Check:
    groups = tuple(frozenset(names) for names in shape.choices.values())

    def check_one_choice(node: Any, _context: Context) -> Findings | None:
        names = node.keys()
        for group in groups:
            if len(group & names) > 1:
                return _several(shape, node)
        return None

    return check_one_choice


def _kept(
    shape: ObjectShape, node: dict[str, Any], key: str, found: Findings | None, problems: Findings
) -> Findings | None:
    """Adds the problems of one element, but for a null in an array of primitives whose id or extension stands beside
    it.
    """
    if type(beside := node.get(f"_{key}")) is list:
        filled = {f"[{index}]" for index, entry in enumerate(beside) if entry is not None}
        problems = [p for p in problems if not (p.rule == "null-value" and p.steps and p.steps[0] in filled)]
    return joined(found, problems, shape.step(key)) if problems else found


def _stray(shape: ObjectShape, node: dict[str, Any], key: str, context: Context) -> Findings | None:
    """Checks a name that is no element: the `_name` of a primitive, or one that does not exist."""
    shadow = shape.shadows.get(key)
    if shadow is None:
        return [_unknown(shape, key)]
    found = shadow(node[key], context)
    values, beside = node.get(key[1:]), node[key]
    if type(values) is list and type(beside) is list and len(values) != len(beside):
        found = joined(found, [messages.misaligned(key[1:], len(values), len(beside))])
    if values is None and type(beside) is dict and beside.keys() == {"id"}:
        found = joined(found, [messages.no_content()])
    return found


def _unknown(shape: ObjectShape, key: str) -> Finding:
    for element, names in shape.choices.items():
        stem = element[:-3]
        if key == stem or (key.startswith(stem) and key[len(stem) : len(stem) + 1].isupper()):
            return messages.choice_type(key, [name for name in names if name[0] != "_"])
    return messages.unknown_element(key, [name for name in shape.elements if name != "resourceType"])


def _missing(shape: ObjectShape, node: dict[str, Any], found: Findings | None) -> Findings | None:
    for name in shape.required:
        if name not in node and not (f"_{name}" in node and f"_{name}" in shape.shadows):
            found = joined(found, [messages.missing()], shape.step(name))
    return found


def _several(shape: ObjectShape, node: dict[str, Any]) -> Findings | None:
    found: Findings | None = None
    for name, names in shape.choices.items():
        there = dict.fromkeys(key.removeprefix("_") for key in names if key in node)
        if len(there) > 1:
            found = joined(found, [messages.several_choices(list(there))], f".{name[:-3]}")
    return found


def array_check(item: Check) -> Check:
    """Returns the check of an element that repeats: an array, even for one value."""

    def check_array(values: Any, context: Context) -> Findings | None:
        if type(values) is not list:
            return [messages.not_array(values)]
        if not values:
            return [messages.empty("array")]
        found: Findings | None = None
        for index, value in enumerate(values):
            problems = item(value, context)
            if problems is not None:
                found = joined(found, problems, f"[{index}]")
        return found

    def write_array(code: Code, values: str, write_item: Callable[[Code, Check, str], None] = write) -> None:
        code.put(f"if type({values}) is not list or not {values}: return False")
        one = code.fresh()
        with code.block(f"for {one} in {values}:"):
            write_item(code, item, one)

    by_parts = partial(write_array, write_item=write_remembered)
    return with_parts_writer(with_writer(check_array, write_array), by_parts)


def shadow_array_check(item: Check) -> Check:
    """Returns the check of the `_name` of a primitive that repeats: objects, or null where the value has nothing
    beside it.
    """

    def check_shadow(value: Any, context: Context) -> Findings | None:
        return None if value is None else item(value, context)

    return array_check(check_shadow)


class _Texts(set[str]):
    """Texts that are right, as far as they have been asked about; forgotten when they are many."""

    def __init__(self, is_right: Callable[[Any], bool]) -> None:
        super().__init__()
        self._is_right = is_right

    def learn(self, value: Any) -> bool:
        """Says whether a text is right, and remembers it."""
        if not self._is_right(value):
            return False
        if len(self) >= _MOST_TEXTS:
            self.clear()
        if len(value) <= _LONGEST_TEXT and value[:9] != "urn:uuid:":
            self.add(value)
        return True


def _write_remembered(code: Code, value: str, texts: _Texts) -> None:
    known, learn = code.constant(texts), code.constant(texts.learn)
    code.put(f"if {value} not in {known} and not {learn}({value}): return False")


def primitive_check(type_name: str) -> Check:
    """Returns the check of one primitive's syntax."""
    if type_name in ("string", "markdown"):
        return _text_check(type_name)
    if type_name in primitives.PATTERNS:
        return _pattern_check(type_name)
    is_right = primitives.CHECKS[type_name]

    def check_primitive(value: Any, _context: Context) -> Findings | None:
        return None if is_right(value) else [messages.primitive(type_name, value)]

    def write_primitive(code: Code, value: str) -> None:
        code.put(f"if not {code.constant(is_right)}({value}): return False")

    if type_name in _OFTEN_THE_SAME:
        return with_writer(check_primitive, partial(_write_remembered, texts=_Texts(is_right)))
    return with_writer(check_primitive, write_primitive)


def _pattern_check(type_name: str) -> Check:
    matches = primitives.PATTERNS[type_name]

    def check_pattern(value: Any, _context: Context) -> Findings | None:
        if type(value) is str and matches(value) is not None:
            return None
        return [messages.primitive(type_name, value)]

    def write_pattern(code: Code, value: str) -> None:
        code.put(f"if type({value}) is not str or {code.constant(matches)}({value}) is None: return False")

    if type_name in _OFTEN_THE_SAME:
        return with_writer(check_pattern, partial(_write_remembered, texts=_Texts(primitives.CHECKS[type_name])))
    return with_writer(check_pattern, write_pattern)


def _text_check(type_name: str) -> Check:
    is_right = primitives.CHECKS[type_name]

    def check_text(value: Any, _context: Context) -> Findings | None:
        if not is_right(value):
            return [messages.primitive(type_name, value)]
        return [messages.blank()] if value.isspace() else None

    def write_text(code: Code, value: str) -> None:
        plain = f"type({value}) is str and {value} and len({value}) < 10000 and {value}.isprintable()"
        doubt = f"not ({plain}) or {value}.isspace()"
        code.put(f"if ({doubt}) and {code.constant(check_text)}({value}, c) is not None: return False")

    return with_writer(check_text, write_text)


def code_check(codes: frozenset[str], otherwise: Check) -> Check:
    """Returns the check of a code that must be one of `codes`; `otherwise` tells what is wrong with one that is not."""

    def check_code(value: Any, context: Context) -> Findings | None:
        if type(value) is str and value in codes:
            return None
        return otherwise(value, context)

    def write_code(code: Code, value: str) -> None:
        code.put(f"if type({value}) is not str or {value} not in {code.constant(codes)}: return False")

    return with_writer(check_code, write_code)


def deep_check(item: Check) -> Check:
    """Returns `item` with a limit of depth; stands wherever a type can hold itself."""

    def check_deep(value: Any, context: Context) -> Findings | None:
        if context.depth >= MAX_DEPTH:
            return [messages.too_deep()]
        context.depth += 1
        found = item(value, context)
        context.depth -= 1
        return found

    def write_deep(code: Code, value: str) -> None:
        code.put(f"if c.depth >= {MAX_DEPTH}: return False")
        code.put("c.depth += 1")
        write(code, item, value)
        code.put("c.depth -= 1")

    return with_writer(check_deep, write_deep)
