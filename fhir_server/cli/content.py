"""The files of `profiles/`, `terminology/` and `mappings/`, read once, with what is needed to judge them."""

import json
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from fhir_server.conformance import DefinitionRegistry
from fhir_server.conformance.packages import InstalledPackage
from fhir_server.terminology import Terminology
from fhir_server.validation import Validator


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault: the point of the check (see POINTS), the file, and a sentence in French and in English."""

    point: int
    path: Path
    french: str
    english: str


@dataclass(frozen=True)
class Content:
    """The files of `profiles/` and `terminology/` of one folder, read once."""

    profiles: Path
    terminology: Path
    resources: dict[Path, dict[str, Any]] = field(default_factory=dict)
    unreadable: list[Problem] = field(default_factory=list)
    packages: tuple[InstalledPackage, ...] = ()

    @cached_property
    def registry(self) -> DefinitionRegistry:
        """The definitions of these files and of the packages."""
        registry = DefinitionRegistry(packages=self.packages)
        for _, definition in self.definitions():
            registry.add(definition)
        return registry

    @cached_property
    def bare_validator(self) -> Validator:
        """Judges without packages: what stands beside a counterexample holds wherever it is read."""
        registry = DefinitionRegistry()
        for _, definition in self.definitions():
            registry.add(definition)
        return Validator(registry, Terminology(registry))

    @cached_property
    def codes(self) -> Terminology:
        return Terminology(self.registry)

    @cached_property
    def validator(self) -> Validator:
        return Validator(self.registry, self.codes)

    @cached_property
    def package(self) -> dict[str, Any]:
        package: dict[str, Any] = json.loads((self.profiles / "package.json").read_text(encoding="utf-8"))
        return package

    @cached_property
    def external(self) -> list[dict[str, Any]]:
        """The code systems that are named but not shipped."""
        return list(tomllib.loads((self.terminology / "external.toml").read_text(encoding="utf-8")).values())

    def definitions(self, resource_type: str = "") -> Iterator[tuple[Path, dict[str, Any]]]:
        """Yields every file that is no example; of one type where it is given."""
        for path, resource in self.resources.items():
            if path.parent.name not in {"examples", "counterexamples"} and (
                not resource_type or resource["resourceType"] == resource_type
            ):
                yield path, resource

    def instances(self, folder: str) -> Iterator[tuple[Path, dict[str, Any]]]:
        """Yields the resources of `examples` or `counterexamples`."""
        return ((path, resource) for path, resource in self.resources.items() if path.parent.name == folder)

    def knows(self, canonical: str) -> bool:
        """True where `canonical` is defined here, in R4, or in what is declared as external."""
        if self.registry.find(canonical) is not None or self.codes.code_system(canonical) is not None:
            return True
        url = canonical.partition("|")[0]
        return any(url == one["url"] or (one.get("prefix") and url.startswith(one["url"])) for one in self.external)


def read_content(profiles: Path, terminology: Path, packages: Sequence[InstalledPackage] = ()) -> Content:
    """Returns the files of both folders and of `mappings/` beside them; a file that is no JSON is kept as a problem.

    `packages` may define what the files refer to.
    """
    content = Content(profiles, terminology, packages=tuple(packages))
    decoder = msgspec.json.Decoder(float_hook=Decimal)
    for folder in (profiles, terminology, profiles.parent / "mappings"):
        for path in sorted(folder.rglob("*.json")):
            if path.name == "package.json" or path.name.endswith(".issues.json"):
                continue
            try:
                resource = decoder.decode(path.read_bytes())
                content.resources[path] = resource | {"resourceType": resource["resourceType"]}
            except (msgspec.DecodeError, KeyError, TypeError) as error:
                content.unreadable.append(Problem(1, path, f"JSON illisible : {error}.", f"Unreadable JSON: {error}."))
    return content
