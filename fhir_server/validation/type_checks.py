"""R4's types compiled to checks, each when it is first met. https://hl7.org/fhir/R4/json.html

The definitions are element trees; the checks are closures that walk the JSON once. A type refers to the checks of
others through a stand-in that replaces itself on its first call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import partial
from typing import Any

from fhir_server.conformance import DefinitionRegistry, ElementNode
from fhir_server.conformance.element_tree import choice_name
from fhir_server.conformance.snapshot import referenced_element
from fhir_server.spec import primitives
from fhir_server.spec.definitions import resource_types
from fhir_server.terminology import Terminology
from fhir_server.validation import messages, references
from fhir_server.validation.bindings import bindings_check, bindings_of, unless
from fhir_server.validation.bundles import resolver_inside
from fhir_server.validation.canonicals import canonical_check
from fhir_server.validation.extensions import ExtensionRules
from fhir_server.validation.findings import Check, Context, Findings, all_of, all_well
from fhir_server.validation.invariants import Invariants
from fhir_server.validation.narrative import check_narrative
from fhir_server.validation.quick import Cell, with_test
from fhir_server.validation.stated_codes import StatedCodes
from fhir_server.validation.structure import (
    ObjectShape,
    array_check,
    code_check,
    deep_check,
    object_check,
    primitive_check,
    shadow_array_check,
)

ProfileCheck = Callable[[str], Check]
"""Canonical of a profile to the check of what it adds to its type."""


class TypeChecks:
    """Checks by type name; `resource_check` takes a resource of any type."""

    def __init__(
        self,
        definitions: DefinitionRegistry,
        terminology: Terminology,
        invariants: Invariants,
        profile_check: ProfileCheck,
        extensions: ExtensionRules,
        rules: Mapping[str, Check],
    ) -> None:
        """`rules` are further checks by type name; that of `Resource` is for every type of resource."""
        self._definitions = definitions
        self._terminology = terminology
        self._invariants = invariants
        self._profile_check = profile_check
        self._rules = rules
        self._stated_codes = StatedCodes(definitions)
        self._extensions = extensions
        self._checks: dict[str, Check] = {}
        self._cells: dict[str, Cell] = {}
        self._resource_types = resource_types()

    def type_check(self, type_name: str) -> Check:
        """Returns the check of a data type or resource type, compiled when first asked for."""
        if type_name not in self._checks:
            if type_name in primitives.CHECKS:
                self._checks[type_name] = check_narrative if type_name == "xhtml" else primitive_check(type_name)
            else:
                self._checks[type_name] = self._complex(type_name)
        return self._checks[type_name]

    def _complex(self, type_name: str) -> Check:
        tree = self._definitions.type_tree(type_name)
        shape = self._shape(tree, type_name)
        shape.invariants = self._invariants.check(tree.definition, type_name)
        rules: list[Check] = []
        if type_name == "Reference":
            rules.append(references.check_literal)
        elif type_name == "Extension":
            rules.append(self._extensions.check_content)
        elif shape.is_resource:
            rules += [self._rules["Resource"], self._extensions.holder_check(type_name, type_name)]
        if type_name in self._rules:
            rules.append(self._rules[type_name])
        shape.rules = tuple(rules)
        check = object_check(shape)
        if shape.is_resource and shape.test is not None:
            self._cells[type_name] = shape.test.cell
        return check

    def _beside_check(self) -> Check:
        """Returns the check of the `_name` of a primitive: an id, extensions."""
        if "_" not in self._checks:
            shape = self._shape(self._definitions.type_tree("Element"), "Element")
            shape.is_beside_value = True
            self._checks["_"] = object_check(shape)
        return self._checks["_"]

    def resource_check(self, value: Any, context: Context) -> Findings | None:
        """Checks a resource by the type that it names itself, all its parts, and the profiles that it claims."""
        if type(value) is not dict:
            return [messages.wrong_object(value)]
        name = value.get("resourceType")
        if type(name) is not str or name not in self._resource_types:
            near = get_close_matches(str(name), self._resource_types, n=3, cutoff=0.6)
            return [messages.unknown_resource_type(name, near)]
        check = self._checks.get(name) or self.type_check(name)
        return check(value, context)

    def is_well(self, value: dict[str, Any], context: Context) -> bool:
        """True where `resource_check` would find nothing, as far as the quick look can tell."""
        cell = self._cells.get(value["resourceType"])
        return cell is not None and cell[0](value, context)

    def _contained(self, value: Any, context: Context) -> Findings | None:
        if type(value) is not dict:
            return [messages.wrong_object(value)]
        return self.resource_check(value, _inside(value, context))

    def _is_contained_well(self, value: Any, context: Context) -> bool:
        return self.is_well(value, _inside(value, context))

    def _entry(self, value: Any, context: Context) -> Findings | None:
        if type(value) is not dict:
            return [messages.wrong_object(value)]
        if context.looks_first and self._looks_well(value, context):
            return None
        return self.resource_check(value, _in_entry(value, context))

    def _looks_well(self, value: dict[str, Any], context: Context) -> bool:
        try:
            return self._is_entry_well(value, context)
        except Exception:  # content of any shape comes here, and the checks themselves have words for it
            return False

    def _is_entry_well(self, value: Any, context: Context) -> bool:
        return self.is_well(value, _in_entry(value, context))

    def _shape(self, node: ElementNode, path: str) -> ObjectShape:
        is_resource = path in self._resource_types
        shape = ObjectShape(is_resource=is_resource, has_parts=is_resource or path == "Meta")
        if is_resource:
            shape.elements["resourceType"] = all_well
        required, required_choices = [], []
        for child in (node.children or {}).values():
            if child.is_choice:
                self._add_choice(shape, child, path)
                if child.minimum:
                    required_choices.append(child.name)
                continue
            codes = child.type_codes
            type_name = "id" if is_resource and child.name == "id" else (codes[0] if codes else "")
            self._add(shape, child.name, child, type_name, path)
            if child.minimum:
                required.append(child.name)
        shape.required, shape.required_choices = tuple(required), tuple(required_choices)
        return shape

    def _add_choice(self, shape: ObjectShape, child: ElementNode, path: str) -> None:
        names = []
        for code in child.type_codes:
            name = choice_name(child.name, code)
            self._add(shape, name, child, code, path)
            shape.steps[name] = shape.steps[f"_{name}"] = f".{child.name[:-3]}"
            names += [name, f"_{name}"] if code in primitives.CHECKS else [name]
        shape.choices[child.name] = tuple(names)

    def _add(self, shape: ObjectShape, name: str, child: ElementNode, type_name: str, path: str) -> None:
        """Adds the check of one JSON name, as a stand-in until it is first called."""
        repeats = child.maximum != 1
        self._defer(shape.elements, name, lambda: self._element(child, type_name, path, repeats))
        if type_name in primitives.CHECKS and type_name != "xhtml":
            wrap = shadow_array_check if repeats else _as_is
            holds = partial(self._extensions.holder_check, f"{path}.{child.name}", type_name)
            self._defer(shape.shadows, f"_{name}", lambda: wrap(all_of([self._beside_check(), holds()])))

    @staticmethod
    def _defer(table: dict[str, Check], name: str, compile_: Callable[[], Check]) -> None:
        def stand_in(value: Any, context: Context) -> Findings | None:
            check = table[name] = compile_()
            return check(value, context)

        table[name] = stand_in

    def _element(self, child: ElementNode, type_name: str, path: str, repeats: bool) -> Check:
        """Returns the check of one element's values of one type, with what the element adds to the type."""
        item = self._item(child, type_name, path)
        return array_check(item) if repeats else item

    def _item(self, child: ElementNode, type_name: str, path: str) -> Check:
        element_path = f"{path}.{child.name}"
        if reference := child.definition.get("contentReference"):
            target = referenced_element(reference, self._definitions)
            return deep_check(self._shared(child, target, element_path, reference.rpartition("#")[2]))
        if child.children is not None:
            return self._backbone(child, element_path)
        if type_name == "Resource":
            if child.name == "contained":
                return deep_check(with_test(self._contained, self._is_contained_well))
            return deep_check(with_test(self._entry, self._is_entry_well))
        if type_name == "Extension":
            holds = self._extensions.holder_check(element_path, "Extension")
            return deep_check(all_of([self.type_check("Extension"), self._extensions.check_known, holds]))
        check = self.type_check(type_name)
        if type_name == "Reference" and child.name == "assigner":
            check = deep_check(check)
        return all_of([self._bound(child, type_name, check), *self._additions(child, type_name, element_path)])

    def _bound(self, child: ElementNode, type_name: str, check: Check) -> Check:
        """Returns `check` together with the element's bindings."""
        bindings = bindings_of(child.definition.get("binding"))
        path = child.definition["path"]
        advice = all_of(
            unless(partial(self._stated_codes.are_said, path), bindings_check([one], type_name, self._terminology))
            for one in bindings
            if one.severity != "error"
        )
        strict = [one for one in bindings if one.severity == "error"]
        both = all_of([check, bindings_check(strict, type_name, self._terminology), advice])
        if type_name == "code" and len(bindings) == 1 and bindings[0].purpose == "required":
            code_set = self._terminology.codes(bindings[0].value_set)
            return both if code_set is None else code_check(code_set.codes, both)
        return both

    def _additions(self, child: ElementNode, type_name: str, path: str) -> list[Check]:
        found = [self._invariants.check(child.definition, type_name)]
        if type_name not in primitives.CHECKS:
            found.append(self._extensions.holder_check(path, type_name))
        entries = [entry for entry in child.definition.get("type", ()) if entry["code"] == type_name]
        if type_name == "Reference":
            targets = [url.rpartition("/")[2] for entry in entries for url in entry.get("targetProfile", ())]
            found.append(references.target_check(targets, path))
        elif type_name == "canonical":
            targets = [url.rpartition("/")[2] for entry in entries for url in entry.get("targetProfile", ())]
            found.append(canonical_check(targets, self._definitions))
        profiles = [url for entry in entries for url in entry.get("profile", ())]
        if len(profiles) == 1:
            found.append(self._profile_check(profiles[0]))
        return found

    def _shared(self, child: ElementNode, target: ElementNode, element_path: str, path: str) -> Check:
        """Returns the check of an element with the content of `target`: the constraints of both, but where they say the
        same only the element's own (tst-8 and tst-7).
        """
        own = child.definition.get("constraint", ())
        texts = {_without_spaces(entry) for entry in own}
        inherited = [entry for entry in target.definition.get("constraint", ()) if _without_spaces(entry) not in texts]
        if all(entry in target.definition.get("constraint", ()) for entry in own):
            return self._backbone(target, path)
        return self._backbone(target, path, f"#{element_path}", [*own, *inherited])

    def _backbone(
        self, node: ElementNode, path: str, key: str = "", constraints: list[dict[str, Any]] | None = None
    ) -> Check:
        key = key or f"#{path}"
        if key not in self._checks:
            shape = self._shape(node, path)
            facts = node.definition if constraints is None else {"constraint": constraints}
            shape.invariants = self._invariants.check(facts, path)
            shape.rules = (self._extensions.holder_check(path, (node.type_codes or ("BackboneElement",))[0]),)
            self._checks[key] = object_check(shape)
        return self._checks[key]


def _without_spaces(constraint: dict[str, Any]) -> str:
    return "".join(str(constraint.get("expression", "")).split())


def _as_is(check: Check) -> Check:
    return check


def _inside(value: dict[str, Any], context: Context) -> Context:
    return context.of(value, context.root, context.resolve)


def _in_entry(value: dict[str, Any], context: Context) -> Context:
    return context.of(value, value, resolver_inside(context.resolve, value))
