"""The files that an operator names: single ones, folders, zip archives, packages; read once, with size and checksum.

Only what a reader opens is read and counts as a source.
"""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from fhir_server.terminology.compiled.layout import Source
from fhir_server.terminology.loading.failures import SourceFault

OnBytes = Callable[[int], None]
"""Is told how many bytes more were read."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file: its `name` for people, its path inside the folder or archive, its size."""

    name: str
    path: PurePosixPath
    size_bytes: int
    open: Callable[[], IO[bytes]]


class Sources:
    """The files below the paths that were given, in the order of the paths and then of their names."""

    def __init__(self, paths: Sequence[Path], on_bytes: OnBytes = lambda _: None) -> None:
        self._on_bytes = on_bytes
        self._archives: list[zipfile.ZipFile | tarfile.TarFile] = []
        self.read: list[Source] = []
        """What was read to the end, with its checksum."""
        self.files = [file for path in paths for file in self._below(path)]

    def close(self) -> None:
        """Closes the archives."""
        for archive in self._archives:
            archive.close()

    def matching(self, pattern: str) -> list[SourceFile]:
        """Returns the files whose name, without folders, fits a regular expression as a whole."""
        fits = re.compile(pattern, re.IGNORECASE)
        return [file for file in self.files if fits.fullmatch(file.path.name)]

    def required(self, pattern: str, example: str) -> list[SourceFile]:
        """Returns the matching files; raises SourceFault, naming an example of what is expected, without one."""
        found = self.matching(pattern)
        if not found:
            given = ", ".join(dict.fromkeys(file.name for file in self.files[:5])) or "—"
            raise SourceFault(
                given,
                f"there is no file like `{example}` here.",
                f"aucun fichier comme `{example}` ne s’y trouve.",
            )
        return found

    def stream(self, file: SourceFile) -> IO[bytes]:
        """Opens a file for one reading; its checksum joins `read` when the stream is closed."""
        return io.BufferedReader(_Counted(file, self._on_bytes, self.read.append), 1 << 18)

    def lines(self, file: SourceFile) -> Iterator[tuple[int, str]]:
        """Yields (number, text) of each line, without its end. Raises SourceFault where it is not UTF-8."""
        number = 0
        with self.stream(file) as stream:
            for number, line in enumerate(stream, 1):
                try:
                    text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError as error:
                    raise not_utf8(file.name, number, error.start + 1) from None
                yield number, text.rstrip("\r\n")

    def _below(self, path: Path) -> Iterator[SourceFile]:
        if path.is_dir():
            for each in sorted(path.rglob("*")):
                if each.is_file() and not each.name.startswith("."):
                    inside = PurePosixPath(each.relative_to(path).as_posix())
                    yield SourceFile(str(each), inside, each.stat().st_size, _opener(each))
        elif not path.is_file():
            raise SourceFault(
                str(path),
                "there is no such file or folder.",
                "ce fichier ou dossier n’existe pas.",
            )
        elif path.suffix.lower() == ".zip":
            yield from self._in_archive(path)
        elif path.name.lower().endswith((".tgz", ".tar.gz")):
            yield from self._in_package(path)
        else:
            yield SourceFile(str(path), PurePosixPath(path.name), path.stat().st_size, _opener(path))

    def _in_package(self, path: Path) -> Iterator[SourceFile]:
        try:
            package = tarfile.open(path, "r:gz")  # noqa: SIM115 — closed with the sources
            self._archives.append(package)
            entries = [entry for entry in package if entry.isfile()]
        except (tarfile.TarError, EOFError, OSError):
            raise SourceFault(
                str(path), "this is not a readable package (.tgz).", "ce n’est pas un paquet lisible (.tgz)."
            ) from None
        for entry in entries:
            inside = PurePosixPath(entry.name)
            yield SourceFile(f"{path}!{inside}", inside, entry.size, _entry(package, entry))

    def _in_archive(self, path: Path) -> Iterator[SourceFile]:
        try:
            archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError):
            raise SourceFault(
                str(path), "this is not a readable zip archive.", "ce n’est pas une archive zip lisible."
            ) from None
        self._archives.append(archive)
        for entry in sorted(archive.infolist(), key=lambda entry: entry.filename):
            if not entry.is_dir():
                inside = PurePosixPath(entry.filename)
                yield SourceFile(f"{path}!{inside}", inside, entry.file_size, _member(archive, entry))


def _entry(package: tarfile.TarFile, entry: tarfile.TarInfo) -> Callable[[], IO[bytes]]:
    def open_entry() -> IO[bytes]:
        stream = package.extractfile(entry)
        if stream is None:
            raise OSError(entry.name)
        return stream

    return open_entry


def not_utf8(name: str, line: int, column: int) -> SourceFault:
    """Returns the fault of a text that is not UTF-8."""
    return SourceFault(
        name,
        "the text is not UTF-8; save the file as UTF-8.",
        "le texte n’est pas en UTF-8 ; enregistrez le fichier en UTF-8.",
        line=line,
        column=column,
    )


def _opener(path: Path) -> Callable[[], IO[bytes]]:
    return lambda: path.open("rb")


def _member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Callable[[], IO[bytes]]:
    return lambda: archive.open(entry)


class _Counted(io.RawIOBase):
    """A raw stream that counts what is read of it and makes its checksum."""

    def __init__(self, file: SourceFile, on_bytes: OnBytes, on_end: Callable[[Source], None]) -> None:
        self._file, self._on_bytes, self._on_end = file, on_bytes, on_end
        self._stream = file.open()
        self._digest = hashlib.sha256()
        self._size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._stream.read(len(buffer))
        except (zipfile.BadZipFile, EOFError, OSError) as error:
            raise SourceFault(
                self._file.name,
                f"the file cannot be read to its end ({error}).",
                f"le fichier ne se lit pas jusqu’au bout ({error}).",
            ) from None
        buffer[: len(data)] = data
        self._digest.update(data)
        self._size += len(data)
        self._on_bytes(len(data))
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
            self._on_end(Source(self._file.path.name, self._size, self._digest.hexdigest()))
        super().close()
