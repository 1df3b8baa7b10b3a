"""The folder with compiled code systems: which there are, and which one a canonical means."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

from fhir_server.terminology.compiled.file import CompiledFile
from fhir_server.terminology.compiled.layout import SUFFIX, Header
from fhir_server.terminology.versions import version_key, version_matches

_MOST_OPEN = 64


class CompiledLibrary:
    """The compiled files of a directory. A file that is added or removed is noticed at the next question.

    At most 64 files are open at once; headers are read once per file.
    """

    def __init__(self, directory: Path | None) -> None:
        self.directory = directory
        self._seen_ns = -1
        self._headers: dict[Path, Header] = {}
        self._by_url: dict[str, list[Path]] = {}
        self._open: OrderedDict[Path, CompiledFile] = OrderedDict()

    def headers(self) -> dict[Path, Header]:
        """Returns the header of each readable file by its path, by system and version."""
        self._look()
        return self._headers

    def unreadable(self) -> list[str]:
        """Returns a sentence about each file that ends like ours and cannot be read."""
        faults = []
        for path in self._paths():
            if path not in self.headers():
                try:
                    CompiledFile(path).close()
                except ValueError as error:
                    faults.append(str(error))
        return faults

    def find(self, url: str, version: str | None = None) -> CompiledFile | None:
        """Returns the file of a system and version; without a version, of the newest one. None where there is none."""
        headers = self.headers()
        fitting = [
            path
            for path in self._by_url.get(url, ())
            if not version or version_matches(version, headers[path].version)
        ]
        # Those of one system lie in the order of their versions.
        return self._opened(fitting[-1]) if fitting else None

    def files(self, url: str) -> list[CompiledFile]:
        """Returns the file of every version of a system."""
        return [self._opened(path) for path in self.paths_of(url)]

    def paths_of(self, url: str, version: str | None = None) -> list[Path]:
        """Returns the files of a system, all its versions or one."""
        headers = self.headers()
        return [path for path in self._by_url.get(url, ()) if version in (None, headers[path].version)]

    def _paths(self) -> list[Path]:
        if self.directory is None or not self.directory.is_dir():
            return []
        return sorted(self.directory.glob(f"*{SUFFIX}"))

    def _look(self) -> None:
        try:
            changed_ns = self.directory.stat().st_mtime_ns if self.directory else 0
        except FileNotFoundError:
            changed_ns = 0
        if changed_ns == self._seen_ns:
            return
        self._open.clear()
        found = {}
        for path in self._paths():
            try:
                file = CompiledFile(path)
            except ValueError:
                continue
            found[path] = file.header
            file.close()
        self._headers = dict(sorted(found.items(), key=lambda item: (item[1].url, version_key(item[1].version))))
        self._by_url = {}
        for path, header in self._headers.items():
            self._by_url.setdefault(header.url, []).append(path)
        self._seen_ns = changed_ns

    def _opened(self, path: Path) -> CompiledFile:
        file = self._open.get(path)
        if file is None:
            file = self._open[path] = CompiledFile(path)
            # One that is still asked by somebody is closed when that ends: nothing else holds it then.
            if len(self._open) > _MOST_OPEN:
                self._open.popitem(last=False)
        self._open.move_to_end(path)
        return file

