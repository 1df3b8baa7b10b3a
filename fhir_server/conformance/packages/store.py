"""The folder of installed packages, one folder each, as FHIR tools lay out their own:

    hl7.fhir.fr.core#2.2.0/
      package/            the package's files as they came: package.json, .index.json, definitions, example/ …
      installed.json      checksum of those files
      definitions.bin     what the server reads of them, see `compiled`

A package is written beside and renamed when it is whole, so that one that fails leaves nothing behind and a server that
starts meanwhile sees it wholly or not at all.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from fhir_server.conformance.packages.compiled import CompiledFile, compile_definitions
from fhir_server.conformance.packages.errors import PackageError
from fhir_server.conformance.packages.manifest import Manifest, parse_manifest
from fhir_server.conformance.packages.source import MANIFEST, Source
from fhir_server.conformance.packages.versions import is_accepted, newest, version_key
from fhir_server.errors import FhirError
from fhir_server.spec import json_format

COMPILED, RECEIPT = "definitions.bin", "installed.json"
_ASIDE = ".installing-"
_ABANDONED_S = 86_400
Progress = Callable[[str], None]
"""Called with the name of each file once it is unpacked."""


@dataclass(frozen=True)
class InstalledPackage:
    """A package that lies in the folder, whole."""

    folder: Path
    manifest: Manifest
    checksum: str

    def definitions(self) -> CompiledFile:
        """Returns the compiled definitions; compiles them where another version of this server did.

        Where the folder cannot be written, what is compiled lies in a temporary file for as long as the process runs.
        """
        try:
            return CompiledFile(self.folder / COMPILED)
        except (ValueError, OSError):
            content = compile_definitions(_read_definitions(self.folder / "package"))
            try:
                _write(self.folder / COMPILED, content)
            except OSError:
                folder = Path(tempfile.mkdtemp(prefix="fhir-package-"))
                (folder / COMPILED).write_bytes(content)
                return CompiledFile(folder / COMPILED)
            return CompiledFile(self.folder / COMPILED)


class PackageStore:
    """The packages installed in `folder`, which is made when the first one is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def installed(self) -> list[InstalledPackage]:
        """Returns the packages by name, the newest version of each first."""
        found = [package for path in self._folders() if (package := _read_package(path)) is not None]
        found.sort(key=lambda package: version_key(package.manifest.version), reverse=True)
        return sorted(found, key=lambda package: package.manifest.name)

    def _folders(self) -> Iterable[Path]:
        if not self.folder.is_dir():
            return ()
        return (path for path in self.folder.iterdir() if "#" in path.name and not path.name.startswith("."))

    def broken(self) -> list[str]:
        """Returns the names of folders that look like packages and are not whole: they are not loaded."""
        return sorted(path.name for path in self._folders() if _read_package(path) is None)

    def find(self, name: str, wanted: str) -> InstalledPackage | None:
        """Returns the newest installed package that meets a dependency; None where none does."""
        packages = {
            package.manifest.version: package
            for package in self.installed()
            if package.manifest.name == name and is_accepted(wanted, package.manifest.version)
        }
        version = newest(packages)
        return None if version is None else packages[version]

    def install(self, source: Source, progress: Progress | None = None) -> bool:
        """Installs a package; returns False where the same content already was.

        Raises PackageError, and leaves nothing behind, for a package of another FHIR version, a broken one, and one
        whose name and version are taken by other content.
        """
        manifest = source.manifest
        manifest.check_fhir_version()
        self._make_folder()
        self._clear()
        aside = Path(tempfile.mkdtemp(prefix=_ASIDE, dir=self.folder))
        try:
            checksum = _unpack(source, aside / "package", progress)
            target = self.folder / manifest.key
            if (present := _read_package(target)) is not None:
                _check_same(present, checksum)
                return False
            content = compile_definitions(_read_definitions(aside / "package"))
            (aside / COMPILED).write_bytes(content)
            (aside / RECEIPT).write_bytes(msgspec.json.encode({"checksum": checksum}) + b"\n")
            shutil.rmtree(target, ignore_errors=True)
            aside.chmod(0o755)
            aside.rename(target)
        except OSError as error:
            raise PackageError(
                f"`{manifest.key}` cannot be written to `{self.folder}`: {error.strerror}.",
                f"`{manifest.key}` ne peut être écrit dans `{self.folder}` : {error.strerror}.",
            ) from None
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        return True

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PackageError(
                f"The packages' folder `{self.folder}` cannot be made: {error.strerror}.",
                f"Le dossier des paquets `{self.folder}` ne peut être créé : {error.strerror}.",
            ) from None

    def _clear(self) -> None:
        """Removes what installations that were killed left aside long ago."""
        for path in self.folder.glob(f"{_ASIDE}*"):
            if time.time() - path.stat().st_mtime > _ABANDONED_S:
                shutil.rmtree(path, ignore_errors=True)

    def remove(self, name: str, version: str = "") -> list[Manifest]:
        """Removes a version of a package, or all of them where none is named; returns what was removed.

        Raises PackageError where none is installed.
        """
        installed = self.installed()
        chosen = [
            package
            for package in installed
            if package.manifest.name == name and version in ("", package.manifest.version)
        ]
        if not chosen:
            known = ", ".join(package.manifest.key for package in installed) or "—"
            wanted = f"{name}#{version}" if version else name
            raise PackageError(
                f"`{wanted}` is not installed. Installed: {known}.",
                f"`{wanted}` n'est pas installé. Installés : {known}.",
            )
        for package in chosen:
            # Renamed first: half a package is none.
            aside = Path(tempfile.mkdtemp(prefix=_ASIDE, dir=self.folder))
            package.folder.rename(aside / "package")
            shutil.rmtree(aside)
        return [package.manifest for package in chosen]


def _read_package(folder: Path) -> InstalledPackage | None:
    """Returns the package in a folder; None where it is not whole."""
    try:
        receipt = msgspec.json.decode((folder / RECEIPT).read_bytes())
        manifest = parse_manifest((folder / "package" / MANIFEST).read_bytes(), str(folder))
        return InstalledPackage(folder, manifest, receipt["checksum"])
    except (OSError, msgspec.DecodeError, PackageError, KeyError, TypeError):
        return None


def _unpack(source: Source, target: Path, progress: Progress | None) -> str:
    """Writes the files of a source; returns their checksum, which their order does not change."""
    digests: list[str] = []
    for name, content in source.files():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        digests.append(f"{name}\0{hashlib.sha256(content).hexdigest()}")
        if progress is not None:
            progress(name)
    return "sha256:" + hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()


def _check_same(present: InstalledPackage, checksum: str) -> None:
    if present.checksum == checksum:
        return
    key = present.manifest.key
    raise PackageError(
        f"`{key}` is installed with other content ({present.checksum[:19]}…, not {checksum[:19]}…). A published "
        f"version never changes: check where this one comes from, or `fhir-server package remove {key}` first.",
        f"`{key}` est déjà installé avec un autre contenu ({present.checksum[:19]}…, pas {checksum[:19]}…). Une "
        f"version publiée ne change pas : vérifiez sa provenance, ou d'abord `fhir-server package remove {key}`.",
    )


def _read_definitions(folder: Path) -> Iterator[dict[str, Any]]:
    """Yields the resources right below `package/` that are no examples; raises PackageError for broken JSON."""
    paths = [path for path in sorted(folder.glob("*.json")) if path.name != MANIFEST and path.name[0] != "."]
    examples: set[str] = set()
    for path in paths:
        if b'"ImplementationGuide"' in (content := path.read_bytes()):
            examples |= _examples_of(_decode(path.name, content))
    for path in paths:
        resource = _decode(path.name, path.read_bytes())
        if f"{resource.get('resourceType')}/{resource.get('id')}" not in examples:
            yield resource


def _decode(name: str, content: bytes) -> dict[str, Any]:
    try:
        return json_format.decode(content)
    except FhirError as error:
        raise PackageError(
            f"`{name}` of the package is broken: {error.english}", f"`{name}` du paquet est illisible : {error.french}"
        ) from None


def _examples_of(guide: dict[str, Any]) -> set[str]:
    """Returns `Type/id` of what an ImplementationGuide calls an example."""
    definition = guide.get("definition")
    listed = definition.get("resource") if isinstance(definition, dict) else None
    return {
        str(one["reference"]["reference"])
        for one in listed or ()
        if (one.get("exampleBoolean") or one.get("exampleCanonical")) and isinstance(one.get("reference"), dict)
    }


def _write(path: Path, content: bytes) -> None:
    """Writes a file so that readers see the old one or the new one."""
    handle, name = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(name, path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
