"""Where extensions may stand. https://hl7.org/fhir/R4/defining-extensions.html#context"""

from __future__ import annotations

from collections import Counter
from typing import Any

from fhir_server.errors import FhirError
from fhir_server.fhirpath import Environment, compile_expression
from fhir_server.fhirpath.code import Code
from fhir_server.spec.definitions import resource_types, structure_definitions
from fhir_server.spec.primitives import is_uri
from fhir_server.validation import extension_messages as messages
from fhir_server.validation.extension_definitions import ExtensionDefinition, ExtensionDefinitions
from fhir_server.validation.findings import Context, Finding, Findings, joined

CORE = "http://hl7.org/fhir/StructureDefinition/"
ANYWHERE = frozenset({"Element", "*"})
"""Contexts that mean every element. https://hl7.org/fhir/R4/codesystem-extension-context-type.html"""
FAMILIES = frozenset({"CanonicalResource", "MetadataResource"})
"""Names that definitions give to all resources with a `url`, though R4 has no such type."""


class Holder:
    """The element that holds extensions, and all names that contexts may give it: path, type, the types above."""

    def __init__(self, path: str, type_code: str) -> None:
        self.path = path
        self.is_primitive = type_code[:1].islower()
        self.names = frozenset({path, path.removesuffix("[x]"), *_type_names(type_code)})
        # Elsewhere `modifierExtension` is no element, which the structure's own finding says.
        takes_modifiers = not self.names.isdisjoint({"DomainResource", "BackboneElement"})
        self.extension_names = ("extension", "modifierExtension") if takes_modifiers else ("extension",)


class HolderCheck:
    """Are the extensions of an element's values in their place? `unknown` is the severity of those nobody defined."""

    def __init__(self, known: ExtensionDefinitions, holder: Holder, unknown: str | None) -> None:
        self._known = known
        self._holder = holder
        self._unknown = unknown
        self._fits: set[str] = set()

    def check(self, value: Any, context: Context) -> Findings | None:
        """Checks the object of a complex value, or the one beside a primitive."""
        found: Findings | None = None
        for name in self._holder.extension_names:
            entries = value.get(name) if type(value) is dict else None
            if type(entries) is not list:
                continue
            for index, entry in enumerate(entries):
                problem = self._placed(entry, name, value, context)
                if problem is not None:
                    found = joined(found, [problem.at(f"[{index}]", f".{name}")])
            if len(entries) > 1 and (problems := self._repeated(entries)) is not None:
                found = joined(found, problems, f".{name}")
        return found

    def write(self, code: Code, value: str) -> None:
        """Writes the question whether `check` finds nothing."""
        doubt = f"not {code.constant(self._are_well)}({value}['extension'])"
        asked = f"'modifierExtension' in {value} or ('extension' in {value} and {doubt})"
        code.put(f"if ({asked}) and {code.constant(self.check)}({value}, c) is not None: return False")

    def _are_well(self, entries: Any) -> bool:
        """Remembers which definitions are allowed here by name; others are asked about in full."""
        fits = self._fits
        for entry in entries:
            url = entry["url"]
            if url not in fits:
                if not self._is_well(url):
                    return False
                if self._known.find(url) is not None:
                    fits.add(url)
        return len(entries) == 1 or self._repeated(entries) is None

    def _is_well(self, url: str) -> bool:
        definition = self._known.find(url)
        if definition is None:
            return not self._unknown and ":" in url
        is_plain = not (definition.is_modifier or definition.invariants)
        return is_plain and _is_named(definition, self._holder)

    def _placed(self, entry: Any, name: str, value: dict[str, Any], context: Context) -> Finding | None:
        """Returns what is wrong with the place of one extension of `value`."""
        url = entry.get("url") if type(entry) is dict else None
        if type(url) is not str:
            return None
        definition = self._known.find(url)
        if definition is None:
            return self._unknown_here(url, name, context)
        if name == "modifierExtension" and not definition.is_modifier:
            return messages.not_a_modifier(url)
        if name == "extension" and definition.is_modifier:
            return messages.is_a_modifier(url)
        holder = self._holder
        if not (_is_named(definition, holder) or _is_found(definition, holder, value, context)):
            return messages.wrong_context(url, definition.contexts)
        return _broken_invariant(definition, entry, holder, value, context)

    def _unknown_here(self, url: str, name: str, context: Context) -> Finding | None:
        if name == "modifierExtension":
            severity = "warning" if context.resource.get("resourceType") == "Basic" else "error"
            return messages.unknown_modifier_extension(url, severity).at(".url")
        if "Extension" in self._holder.names or not is_uri(url):
            return None
        if ":" not in url:
            return messages.relative_url(url).at(".url")
        return messages.unknown_extension(url, self._unknown).at(".url") if self._unknown else None

    def _repeated(self, entries: list[Any]) -> Findings | None:
        """Returns the extensions of one URL that are more than their definition allows."""
        urls = (entry.get("url") for entry in entries if type(entry) is dict)
        found: Findings = []
        for url, count in Counter(url for url in urls if type(url) is str).items():
            definition = self._known.find(url) if count > 1 else None
            if definition is not None and definition.maximum is not None and count > definition.maximum:
                found.append(messages.too_many_extensions(url, definition.maximum, count))
        return found or None


def _type_names(type_code: str) -> set[str]:
    """Returns a type, those above it, and the families that it belongs to."""
    names: set[str] = set()
    name = type_code
    while name and name not in names:
        names.add(name)
        name = structure_definitions().get(CORE + name, {}).get("baseDefinition", "").rpartition("/")[2]
    if type_code in resource_types():
        elements = structure_definitions()[CORE + type_code]["snapshot"]["element"]
        if any(element["path"] == f"{type_code}.url" for element in elements):
            names |= FAMILIES
    return names


def _is_named(definition: ExtensionDefinition, holder: Holder) -> bool:
    """True where a context is one of the names of what holds the extension, or there is no context at all."""
    elements = definition.elements
    if not elements.isdisjoint(holder.names) or not elements.isdisjoint(ANYWHERE):
        return True
    return not (elements or definition.parents or definition.paths)


def _is_found(definition: ExtensionDefinition, holder: Holder, value: dict[str, Any], context: Context) -> bool:
    """True where `value` is an extension that a context names, or among what a context's FHIRPath yields.

    A primitive's extensions stand beside it, where its value cannot be told from an equal one: FHIRPath allows them.
    """
    if value.get("url") in definition.parents:
        return True
    if holder.is_primitive:
        return bool(definition.paths)
    return any(found is value for path in definition.paths for found in _selected(path, context))


def _selected(path: str, context: Context) -> list[Any]:
    """Returns what a context's FHIRPath yields on the resource; nothing where it is none: its definition's fault."""
    try:
        return compile_expression(path, context.resource["resourceType"]).evaluate(
            context.resource, context.environment
        )
    except FhirError:
        return []


def _broken_invariant(
    definition: ExtensionDefinition, extension: dict[str, Any], holder: Holder, value: dict[str, Any], context: Context
) -> Finding | None:
    """Returns the context invariant that does not hold; a primitive's value is not at hand beside it."""
    if holder.is_primitive or not definition.invariants:
        return None
    environment = Environment(context.resource, context.root, context.resolve, extension)
    for invariant in definition.invariants:
        try:
            holds = compile_expression(invariant, holder.path.removesuffix("[x]")).is_true(value, environment)
        except FhirError:
            continue  # no FHIRPath: the fault of the definition, not of who uses it
        if not holds:
            return messages.broken_context(definition.url, invariant)
    return None
