"""Profiles compiled to checks of what they add to R4's types. https://hl7.org/fhir/R4/profiling.html

A profile's element tree is laid over the tree of its type; only where they differ a check is made. So a profile costs
what it says, and what the base says is checked once, by the base.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from fhir_server.conformance import ElementNode, SnapshotError, Trees, split_canonical
from fhir_server.conformance.element_tree import choice_name
from fhir_server.conformance.snapshot import children_of
from fhir_server.fhirpath.code import Code
from fhir_server.spec import primitives
from fhir_server.spec.definitions import resource_types
from fhir_server.terminology import Terminology
from fhir_server.validation import profile_messages as messages
from fhir_server.validation import references
from fhir_server.validation.bindings import bindings_check, bindings_of
from fhir_server.validation.discriminator_paths import parse_steps, type_reader
from fhir_server.validation.discriminators import Discriminators
from fhir_server.validation.findings import Check, Context, Findings, all_of, all_well
from fhir_server.validation.invariants import Invariants
from fhir_server.validation.patterns import value_checks
from fhir_server.validation.profile_elements import (
    ChoiceRules,
    ElementRules,
    choice_check,
    repeating_check,
    single_check,
)
from fhir_server.validation.quick import Cell, late_cell, quick_test, with_writer, write, write_call
from fhir_server.validation.slicing import Slice, SlicesCheck, Slicing, slices_check
from fhir_server.validation.target_profiles import aggregation_check, target_profile_check, versioning_check

DEFAULT_SLICE = "@default"
"""Name of the slice that takes what no other slice takes. https://hl7.org/fhir/R4/profiling.html#default-slice"""
TYPE_SLICING = [{"type": "type", "path": "$this"}]
MOST_FOUND = 4096
"""Canonicals kept at hand; the version after `|` is the client's, so there is no end of them."""


@dataclass(frozen=True, slots=True)
class ProfileCheck:
    """The check of a profile and the type that it is for."""

    type_name: str
    check: Check
    cell: Cell


class ProfileChecks:
    """Checks by canonical URL of a profile, compiled when first asked for."""

    def __init__(self, definitions: Trees, terminology: Terminology, invariants: Invariants) -> None:
        self._definitions = definitions
        self._terminology = terminology
        self._invariants = invariants
        self._discriminators = Discriminators(definitions, terminology, self.check)
        self._found: dict[str, ProfileCheck] = {}
        self._compiled: dict[str, Check] = {}
        self._cells: dict[str, Cell] = {}

    def find(self, canonical: str) -> ProfileCheck | None:
        """Returns the check of a profile, with or without `|version`; None where the profile is not known."""
        known = self._found.get(canonical)
        if known is None:
            definition = self._definitions.find(canonical)
            if definition is None or "type" not in definition or "kind" not in definition:
                return None
            if len(self._found) >= MOST_FOUND:
                self._found.clear()
            known = self._found[canonical] = self._profile_check(definition["type"], canonical)
        return known

    @property
    def kept(self) -> int:
        """How many canonicals are kept at hand."""
        return len(self._found)

    def _profile_check(self, type_name: str, canonical: str) -> ProfileCheck:
        check = self.check(canonical)
        return ProfileCheck(type_name, check, late_cell(lambda: check))

    def check(self, canonical: str) -> Check:
        """Returns the check of what a profile adds to its type; an unknown profile adds nothing."""
        definition = self._definitions.find(canonical)
        if definition is None or definition.get("derivation") != "constraint":
            return all_well
        # Packages bring several versions of one profile: each is a check of its own.
        key = _canonical_of(definition)
        compiled = self._compiled

        def find_check() -> Check:
            check = compiled.get(key)
            if check is None:
                check = compiled[key] = self._compile(definition)
            return check

        def check_profile(value: Any, context: Context) -> Findings | None:
            return (compiled.get(key) or find_check())(value, context)

        cell = self._cells.setdefault(key, late_cell(find_check))
        return with_writer(check_profile, partial(write_call, cell=cell))

    def _compile(self, definition: dict[str, Any]) -> Check:
        url = definition["url"]
        try:
            tree = self._definitions.tree(_canonical_of(definition))
            base = self._definitions.type_tree(definition["type"])
            return self._value(tree, base, definition["type"], definition["type"])
        except SnapshotError as error:
            english, french = error.english, error.french

            def check_unusable(_value: Any, _context: Context) -> Findings | None:
                return [messages.unusable_profile(url, english, french)]

            return check_unusable

    def _value(self, node: ElementNode, base: ElementNode, type_code: str, path: str) -> Check:
        """Returns the check of one value of type `type_code` at an element: what `node` says and `base` does not."""
        known = base.definition
        inherited = [entry["key"] for entry in known.get("constraint", ())]
        is_backbone = type_code in ("BackboneElement", "Element")
        checks = value_checks(node.definition, known)
        checks.append(self._binding(node, known, type_code))
        checks.append(self._type_rules(node, known, type_code))
        checks.append(self._invariants.check(node.definition, path if is_backbone else type_code, inherited))
        if type_code not in primitives.CHECKS:
            checks.append(self._children(node, base, type_code, path if is_backbone else type_code))
        return all_of(checks)

    def _binding(self, node: ElementNode, known: dict[str, Any], type_code: str) -> Check:
        here, before = bindings_of(node.definition.get("binding")), bindings_of(known.get("binding"))
        added = [one._replace(is_of_profile=True) for one in here if one not in before]
        return bindings_check(added, type_code, self._terminology)

    def _type_rules(self, node: ElementNode, known: dict[str, Any], type_code: str) -> Check:
        """Returns the check of what the `type` of an element says beyond its code: profiles and targets."""
        types = node.definition.get("type", ())
        if types == known.get("type", ()):
            return all_well
        if known.get("type") and known["type"][0]["code"] == "Resource" and node.type_codes != ("Resource",):
            return self._resource_types(types)
        entries = [entry for entry in types if entry["code"] == type_code]
        profiles = [url for entry in entries for url in entry.get("profile", ())]
        checks = [] if type_code == "Extension" else [self._any_profile(profiles)]
        if type_code == "Reference":
            base = [entry for entry in known.get("type", ()) if entry["code"] == type_code]
            checks.append(self._targets(_target_profiles(entries), _target_profiles(base)))
            checks += self._reference_rules(entries, base)
        return all_of(checks)

    def _reference_rules(self, entries: list[dict[str, Any]], base: list[dict[str, Any]]) -> Iterator[Check]:
        """Yields the checks of the targets' profiles, of where they are, and of their versions."""
        by_type: dict[str, list[str]] = {}
        whole: set[str] = set()
        for url in _target_profiles(entries):
            definition = self._definitions.find(url) or {}
            if definition.get("derivation") == "constraint":
                by_type.setdefault(definition["type"], []).append(split_canonical(url)[0])
            else:
                whole.add(definition.get("type", ""))
        profiles = {name: urls for name, urls in by_type.items() if name not in whole}
        if profiles and not whole & references.ABSTRACT and _target_profiles(entries) != _target_profiles(base):
            yield target_profile_check(profiles, self.check)
        modes = _common(entries, "aggregation")
        if modes and modes != _common(base, "aggregation"):
            yield aggregation_check(modes)
        versioning = {entry.get("versioning", "either") for entry in entries}
        if len(versioning) == 1 and versioning != {"either"}:
            yield versioning_check(*versioning)

    def _targets(self, urls: list[str], base_urls: list[str]) -> Check:
        types, base_types = self._types_of(urls), self._types_of(base_urls)
        if None in types or (types == base_types and types.isdisjoint(references.USED_BY_HL7.values())):
            return all_well
        return references.target_check([name for name in types if name])

    def _types_of(self, urls: list[str]) -> set[str | None]:
        return {(self._definitions.find(url) or {}).get("type") for url in urls}

    def _any_profile(self, profiles: list[str]) -> Check:
        checks = [self.check(url) for url in profiles]
        if not checks or all_well in checks:
            return all_well
        if len(checks) == 1:
            return checks[0]

        def check_any(value: Any, context: Context) -> Findings | None:
            for check in checks:
                found = check(value, context)
                if found is None or all(finding.severity == "warning" for finding in found):
                    return found
            return [messages.no_profile_fits(profiles)]

        def write_any(code: Code, value: str) -> None:
            first = code.constant(quick_test(checks[0]))
            code.put(f"if not {first}({value}, c) and {code.constant(check_any)}({value}, c) is not None: return False")

        return with_writer(check_any, write_any)

    def _resource_types(self, types: Iterable[dict[str, Any]]) -> Check:
        by_type: dict[str, list[str]] = {}
        for entry in types:
            by_type.setdefault(entry["code"], []).extend(entry.get("profile", ()))
        checks = {name: self._any_profile(profiles) for name, profiles in by_type.items()}

        def check_resource(value: Any, context: Context) -> Findings | None:
            name = value.get("resourceType") if type(value) is dict else None
            if type(name) is not str:
                return None
            check = checks.get(name)
            return [messages.type_not_allowed(name, list(checks))] if check is None else check(value, context)

        def write_resource(code: Code, value: str) -> None:
            cells = code.constant({name: late_cell(partial(checks.__getitem__, name)) for name in checks})
            cell = code.assign(f"{cells}.get({value}['resourceType'])")
            code.put(f"if {cell} is None or not {cell}[0]({value}, c): return False")

        return with_writer(check_resource, write_resource)

    def _children(self, node: ElementNode, base: ElementNode, type_code: str, path: str) -> Check:
        """Returns the check of the children of an object that the profile says something about."""
        if node.children is None:
            return all_well
        source = base if base.children is not None or base.type_codes == (type_code,) else None
        if base.definition.get("contentReference"):
            source = base
        known = children_of(source, self._definitions) if source else {}
        if not known:
            known = self._definitions.type_tree(type_code).children or {}
        checks = []
        for name, child in node.children.items():
            if name in known:
                checks.append(self._element(child, known[name], f"{path}.{name}"))
        check = all_of(checks)
        return check if check is all_well else _on_objects(check)

    def _element(self, child: ElementNode, base: ElementNode, path: str) -> Check:
        if child is base:
            return all_well
        if child.is_choice:
            return self._choice(child, base, path)
        code = (child.type_codes or base.type_codes or ("",))[0]
        minimum, maximum = _limits(child, base)
        rules = ElementRules(child.name, minimum, maximum)
        rules.has_parts = _is_member(path) and code not in primitives.CHECKS
        rules.value = self._value(child, base, code, path) if code or child.children else all_well
        if code in primitives.CHECKS:
            rules.beside = self._beside(child, code)
        rules.slices = self._slices(child, base, code, path)
        if rules.is_empty:
            return all_well
        return repeating_check(rules) if base.repeats else single_check(rules)

    def _beside(self, child: ElementNode, code: str) -> Check:
        """Returns the check of id and extensions beside a primitive value."""
        return self._children(child, self._definitions.type_tree(code), code, code)

    def _choice(self, child: ElementNode, base: ElementNode, path: str) -> Check:
        codes = child.type_codes
        names = {choice_name(child.name, code): code for code in base.type_codes}
        typed = {choice_name(child.name, code): self._value(child, base, code, path) for code in codes}
        refused = {name: code for name, code in names.items() if code not in codes}
        minimum, maximum = _limits(child, base)
        rules = ChoiceRules(child.name, minimum, maximum, typed, refused, [choice_name(child.name, c) for c in codes])
        rules.names, rules.has_parts = frozenset(names), _is_member(path)
        rules.primitives = frozenset(name for name, code in names.items() if code in primitives.CHECKS)
        rules.beside = {
            choice_name(child.name, code): check
            for code in codes
            if code in primitives.CHECKS and (check := self._beside(child, code)) is not all_well
        }
        if child.slices:
            self._slice_choice(rules, child, base, path)
        checks = [*rules.typed.values(), *rules.beside.values()]
        if any(check is not all_well for check in checks) or rules.refused or rules.wanted or rules.slices:
            return choice_check(rules)
        return choice_check(rules) if minimum or maximum is not None else all_well

    def _slice_choice(self, rules: ChoiceRules, child: ElementNode, base: ElementNode, path: str) -> None:
        """Adds the slices of a choice; those by type join the checks of their types."""
        slicing = child.definition.get("slicing", {})
        if slicing.get("discriminator", TYPE_SLICING) != TYPE_SLICING:
            rules.slices = self._slices(child, base, child.type_codes[0], path)
            return
        typed, refused, wanted = dict(rules.typed), dict(rules.refused), dict(rules.wanted)
        for part in child.slices.values():
            names = {choice_name(child.name, code): code for code in part.type_codes}
            for name, code in names.items():
                check = self._value(part, child, code, path)
                typed[name] = all_of([typed.get(name, all_well), check])
                if part.maximum == 0:
                    refused[name] = code
            if part.minimum:
                wanted[part.slice_name] = frozenset({*names, *(f"_{name}" for name in names)})
        if slicing.get("rules") == "closed":
            sliced = {code for part in child.slices.values() for code in part.type_codes}
            refused |= {
                n: c for n in typed for c in child.type_codes if n == choice_name(child.name, c) and c not in sliced
            }
        rules.typed, rules.refused, rules.wanted = typed, refused, wanted
        rules.allowed = [name for name in rules.allowed if name not in refused]

    def _slices(self, child: ElementNode, base: ElementNode, code: str, path: str) -> SlicesCheck | None:
        if not child.slices:
            return None
        slicing = child.definition.get("slicing", {})
        discriminators = slicing.get("discriminator", ())
        by_name = {
            name: self._slice(part, child, code, path, () if name == DEFAULT_SLICE else discriminators)
            for name, part in child.slices.items()
        }
        default = by_name.pop(DEFAULT_SLICE, None)
        parts = list(by_name.values())
        rules = slicing.get("rules", "open") if all(part.is_certain for part in parts) else "open"
        found = Slicing(parts, rules, bool(slicing.get("ordered")), default=default)
        if len(discriminators) == 1:
            members = children_of(child, self._definitions)
            single = {name for name, member in members.items() if not member.repeats and not member.is_choice}
            _decide_by_look_up(found, discriminators[0], single)
        return slices_check(found)

    def _slice(
        self, part: ElementNode, child: ElementNode, code: str, path: str, discriminators: Iterable[dict[str, str]]
    ) -> Slice:
        expectations = []
        for discriminator in discriminators:
            expectation = self._discriminators.expectation(part, discriminator)
            if expectation is not None:
                reads = discriminator["type"] in ("value", "pattern")
                steps = parse_steps(discriminator["path"])
                expectations.append((steps if reads and steps else None, expectation))
        check = self._value(part, child, code, path)
        maximum = None if part.maximum == child.maximum and child.maximum != 0 else part.maximum
        found = Slice(part.slice_name, tuple(expectations), part.minimum, maximum, check)
        found.constant = expectations[0][1].constant if len(expectations) == 1 else None
        found.inner = self._slices(part, child, code, path)
        if not found.is_certain:
            found.minimum = 0
        return found


def _canonical_of(definition: dict[str, Any]) -> str:
    version = definition.get("version")
    return f"{definition['url']}|{version}" if version else str(definition["url"])


def _on_objects(check: Check) -> Check:
    def check_object(value: Any, context: Context) -> Findings | None:
        return check(value, context) if type(value) is dict else None

    return with_writer(check_object, lambda code, value: write(code, check, value))


def _target_profiles(entries: Iterable[dict[str, Any]]) -> list[str]:
    return [url for entry in entries for url in entry.get("targetProfile", ())]


def _common(entries: Iterable[dict[str, Any]], name: str) -> list[str]:
    """Returns what the entries of `type` list under `name`, together; nothing where one of them says nothing."""
    lists = [entry.get(name, ()) for entry in entries]
    return list(dict.fromkeys(one for each in lists for one in each)) if all(lists) else []


def _is_member(path: str) -> bool:
    """True for the path of a member of a resource, such as `Observation.code`."""
    owner, _, name = path.partition(".")
    return owner in resource_types() and "." not in name


def _limits(child: ElementNode, base: ElementNode) -> tuple[int, int | None]:
    """Returns the limits that a profile sets and its base does not: 0 and None where they are the same."""
    minimum = child.minimum if child.minimum > base.minimum else 0
    tighter = child.maximum is not None and (base.maximum is None or child.maximum < base.maximum)
    return minimum, child.maximum if tighter else None


def _decide_by_look_up(slicing: Slicing, discriminator: dict[str, str], single: Collection[str]) -> None:
    """Lets one look-up find the slice, where each has a constant of one of the `single` children or its own types."""
    path = discriminator["path"]
    if discriminator["type"] == "type":
        if all(part.types for part in slicing.slices):
            slicing.type_of = type_reader(parse_steps(path))
    elif path in single and all(type(part.constant) is str for part in slicing.slices):
        slicing.key = path
