"""`package.json`: name, version, FHIR version and dependencies of a package.

https://confluence.hl7.org/display/FHIR/NPM+Package+Specification
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from fhir_server.conformance.packages.errors import PackageError
from fhir_server.conformance.packages.versions import is_accepted

FHIR_VERSIONS = ("4.0.1", "4.0.0", "4.0")
"""R4; the technical correction 4.0.1 changed no definition that 4.0.0 has."""
BUILT_IN = {"hl7.fhir.r4.core": "4.0.1", "hl7.fhir.core": "4.0.1"}
"""What the server carries in its own tables, by the names that packages know it by."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]*")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What `package.json` says; `dependencies` are versions by package name, as written there."""

    name: str
    version: str
    fhir_versions: tuple[str, ...] = ()
    dependencies: Mapping[str, str] = field(default_factory=dict)
    title: str = ""

    @property
    def key(self) -> str:
        """`name#version`, as FHIR tools name a package and its folder."""
        return f"{self.name}#{self.version}"

    def unmet_names(self) -> dict[str, str]:
        """Returns the dependencies that R4's own tables do not meet: versions by name."""
        return {name: wanted for name, wanted in self.dependencies.items() if not is_built_in(name, wanted)}

    def check_fhir_version(self) -> None:
        """Raises PackageError for a package of another FHIR version; one that says none is judged by what it needs."""
        if self.name in BUILT_IN:
            raise PackageError(
                f"`{self.key}` is built into this server: it needs no installation.",
                f"`{self.key}` fait partie de ce serveur : rien à installer.",
            )
        said = self.fhir_versions or tuple(
            version for name, version in self.dependencies.items() if name in BUILT_IN or name.endswith(".core")
        )
        if said and not set(said).intersection(FHIR_VERSIONS):
            raise PackageError(
                f"`{self.key}` is for FHIR {', '.join(said)}; this server speaks FHIR 4.0.1 (R4). Take the R4 edition "
                "of the package, whose name often ends in `.r4`.",
                f"`{self.key}` est pour FHIR {', '.join(said)} ; ce serveur parle FHIR 4.0.1 (R4). Prenez l'édition R4 "
                "du paquet, dont le nom finit souvent par `.r4`.",
            )
        if not said:
            raise PackageError(
                f"`{self.key}` does not say its FHIR version: `fhirVersions` of package.json should hold `4.0.1`.",
                f"`{self.key}` ne dit pas sa version de FHIR : `fhirVersions` de package.json devrait citer `4.0.1`.",
            )


def is_built_in(name: str, wanted: str) -> bool:
    """True for a dependency that the server's own tables meet."""
    return name in BUILT_IN and (wanted in FHIR_VERSIONS or is_accepted(wanted, BUILT_IN[name]))


def parse_manifest(content: bytes, origin: str) -> Manifest:
    """Returns the manifest in a `package.json`; raises PackageError, naming `origin`, where it is not one."""
    try:
        read: Any = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PackageError(
            f"`{origin}`: package.json is not JSON: {error}.", f"`{origin}` : package.json n'est pas du JSON : {error}."
        ) from None
    read = read if isinstance(read, dict) else {}
    name, version = read.get("name"), read.get("version")
    for key, value, shape in (("name", name, _NAME), ("version", version, _VERSION)):
        if not isinstance(value, str) or not shape.fullmatch(value):
            raise PackageError(
                f"`{origin}`: `{key}` of package.json should be like `{_EXAMPLES[key]}`.",
                f"`{origin}` : `{key}` de package.json devrait ressembler à `{_EXAMPLES[key]}`.",
            )
    said = read.get("fhirVersions") or read.get("fhir-version-list") or ()
    needed = read.get("dependencies")
    return Manifest(
        name=str(name),
        version=str(version),
        fhir_versions=tuple(str(one) for one in said) if isinstance(said, list) else (),
        dependencies={str(k): str(v) for k, v in needed.items()} if isinstance(needed, dict) else {},
        title=str(read.get("title", "")),
    )


_EXAMPLES = {"name": "hl7.fhir.fr.core", "version": "2.2.0"}
