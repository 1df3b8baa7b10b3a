"""What `fhir-server validate` is to check: files, folders, patterns, standard input; JSON, NDJSON and XML."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path
from typing import Any

from fhir_server.errors import FhirError, MalformedContent
from fhir_server.outcome import Issue, fatal_issues
from fhir_server.spec.json_format import decode
from fhir_server.spec.xml_format import decode_xml

STDIN = "-"
SUFFIXES = {".json", ".ndjson", ".jsonl", ".xml"}
"""Files of a folder that are looked at."""
BESIDE = ("package.json", ".issues.json")
"""Ends of names, in folders, of files that go with resources and are none."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file; `is_named` where the caller named it, not a folder or pattern that it is in."""

    name: str
    is_named: bool = True

    @property
    def size(self) -> int:
        """Bytes, for a progress bar; 0 where that is not known."""
        path = Path(self.name)
        return path.stat().st_size if self.name != STDIN and path.is_file() else 0


@dataclass(frozen=True, slots=True)
class Sent:
    """One resource of a file, or why it cannot be read; `name` says which, such as `patients.ndjson:3`."""

    name: str
    size: int
    resource: dict[str, Any] | None = None
    issues: tuple[Issue, ...] = ()


def find_sources(words: Iterable[str]) -> list[Source]:
    """Returns the files that the words of the command name, each once: folders with all below them, patterns, `-`."""
    found: dict[str, Source] = {}
    for word in words:
        for source in _expand(word):
            found.setdefault(source.name, source)
    return list(found.values())


def _expand(word: str) -> list[Source]:
    path = Path(word)
    if word == STDIN or path.is_file():
        return [Source(word)]
    if path.is_dir():
        return [Source(str(each), is_named=False) for each in sorted(path.rglob("*")) if _may_hold_resources(each)]
    matches = sorted(glob(word, recursive=True)) if has_magic(word) else []
    return [Source(each, is_named=False) for each in matches if Path(each).is_file()] or [Source(word)]


def _may_hold_resources(path: Path) -> bool:
    return path.suffix in SUFFIXES and not path.name.startswith(".") and not path.name.endswith(BESIDE)


def read_resources(source: Source) -> Iterator[Sent]:
    """Yields the resources of a file: one of JSON or XML, one per line of NDJSON."""
    if source.name == STDIN:
        yield from _read_text(STDIN, sys.stdin.buffer.read())
        return
    path = Path(source.name)
    try:
        if path.suffix in (".ndjson", ".jsonl"):
            with path.open("rb") as lines:
                yield from _read_lines(source.name, lines)
        else:
            yield from _read_text(source.name, path.read_bytes())
    except OSError as error:
        reason = error.strerror or type(error).__name__
        english, french = f"`{path}` cannot be read: {reason}.", f"`{path}` est illisible : {reason}."
        yield Sent(source.name, 0, issues=(Issue("fatal", "not-found", "file", english, french),))


def _read_text(name: str, content: bytes) -> Iterator[Sent]:
    start = content.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"<"):
        yield _read(name, content, decode_xml)
        return
    sent = _read(name, content, decode)
    lines = start.splitlines()
    if sent.resource is None and len(lines) > 1 and all(line.startswith(b"{") for line in lines if line.strip()):
        # What is no JSON as a whole, and an object in each line, is NDJSON under another name.
        yield from _read_lines(name, lines)
    else:
        yield sent


def _read_lines(name: str, lines: Iterable[bytes]) -> Iterator[Sent]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _read(f"{name}:{number}", line, decode)


def _read(name: str, content: bytes, decode_content: Callable[[bytes], dict[str, Any]]) -> Sent:
    try:
        resource = decode_content(content)
        if not isinstance(resource.get("resourceType"), str):
            raise MalformedContent(
                "This is not a FHIR resource: it has no `resourceType`.",
                "Ce n'est pas une ressource FHIR : `resourceType` est absent.",
                rule="resource-type",
            )
    except FhirError as error:
        return Sent(name, len(content), issues=tuple(fatal_issues(error)))
    return Sent(name, len(content), resource)
