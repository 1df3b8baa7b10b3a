"""Where a package is installed from: an archive as registries hand it out, or a folder with the same files.

https://confluence.hl7.org/display/FHIR/NPM+Package+Specification

Nothing in an archive is trusted: names that leave the package, links and devices are refused before a byte is written.
"""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fhir_server.conformance.packages.errors import PackageError
from fhir_server.conformance.packages.manifest import Manifest, parse_manifest

MANIFEST = "package.json"
MAX_BYTES = 4 << 30
"""No package is that big once unpacked; an archive that swells beyond is made to fill the disk."""


@dataclass(frozen=True, slots=True)
class Source:
    """One package to install: its archive or folder, and what its `package.json` says."""

    path: Path
    manifest: Manifest

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Yields every file below `package/` as (path there, content), in the order of the source."""
        return _archive_files(self.path) if self.path.is_file() else _folder_files(_root(self.path))


def open_source(path: Path) -> Source:
    """Returns the package at `path`, a `.tgz` or the folder of one; raises PackageError where there is none."""
    if not path.exists():
        raise PackageError(f"`{path}` is not there.", f"`{path}` n'existe pas.")
    files = _archive_files(path) if path.is_file() else _folder_files(_root(path), only=MANIFEST)
    content = next((content for name, content in files if name == MANIFEST), None)
    files.close()
    if content is None:
        raise PackageError(
            f"`{path}` is no FHIR package: it has no package/package.json.",
            f"`{path}` n'est pas un paquet FHIR : il n'a pas de package/package.json.",
        )
    return Source(path, parse_manifest(content, str(path)))


def sources_in(path: Path) -> list[Path]:
    """Returns what to install for an argument of the command: itself, or the archives of a folder that holds some."""
    if path.is_dir() and not (_root(path) / MANIFEST).is_file():
        return sorted(path.glob("*.tgz")) or [path]
    return [path]


def _root(folder: Path) -> Path:
    return folder / "package" if (folder / "package").is_dir() else folder


def _folder_files(root: Path, only: str = "") -> Generator[tuple[str, bytes], None, None]:
    for path in [root / only] if only else sorted(root.rglob("*")):
        if path.is_symlink():
            raise _unsafe(str(root), str(path.relative_to(root)))
        if path.is_file():
            yield path.relative_to(root).as_posix(), path.read_bytes()


def _archive_files(path: Path) -> Generator[tuple[str, bytes], None, None]:
    total = 0
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                parts = PurePosixPath(member.name).parts
                if member.name.startswith("/") or "\\" in member.name or ".." in parts:
                    raise _unsafe(str(path), member.name)
                if member.isdir():
                    continue
                if not member.isreg():
                    raise _unsafe(str(path), member.name)
                total += member.size
                if total > MAX_BYTES:
                    raise PackageError(
                        f"`{path}` unpacks to more than {MAX_BYTES >> 30} GiB: refused.",
                        f"`{path}` dépasse {MAX_BYTES >> 30} Gio une fois décompressé : refusé.",
                    )
                if parts[0] == "package" and len(parts) > 1:
                    file = archive.extractfile(member)
                    yield "/".join(parts[1:]), file.read() if file is not None else b""
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise PackageError(
            f"`{path}` cannot be read as a package archive (.tgz): {error}.",
            f"`{path}` est illisible comme archive de paquet (.tgz) : {error}.",
        ) from None


def _unsafe(origin: str, name: str) -> PackageError:
    return PackageError(
        f"`{origin}` holds `{name}`, which points outside the package or is no plain file: nothing was installed.",
        f"`{origin}` contient `{name}`, qui sort du paquet ou n'est pas un simple fichier : rien n'a été installé.",
    )
