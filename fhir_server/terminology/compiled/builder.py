"""Writes a compiled code system: rows in any order, memory bounded, nothing left behind where it fails."""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from fhir_server.index.words import words_of
from fhir_server.terminology.compiled.layout import FORMAT, INDEXES, SCHEMA, Header, file_name

_BATCH = 5000
_LOADING = ".loading-"
"""What the names of files begin with that are being written; the process follows."""
_CACHE = "PRAGMA {}.cache_size = -32000"

# CROSS JOIN keeps SQLite from going through all concepts for each waiting row: nothing is indexed there.
# What is said of a code may come before the code itself: it waits here, in a file of its own.
_WAITING = """
CREATE TABLE waiting.designation (code TEXT, language TEXT, use TEXT, value TEXT);
CREATE TABLE waiting.property (code TEXT, name TEXT, type TEXT, value TEXT, whole TEXT);
CREATE TABLE waiting.parent (child TEXT, parent TEXT, place INTEGER);
CREATE TABLE waiting.member (name TEXT, code TEXT);
"""
_SETTLE = """
INSERT INTO designation SELECT c.id, w.language, w.use, w.value
  FROM waiting.designation w CROSS JOIN concept c ON c.code = w.code ORDER BY c.id, w.rowid;
INSERT INTO property SELECT c.id, w.name, w.type, w.value, w.whole
  FROM waiting.property w CROSS JOIN concept c ON c.code = w.code ORDER BY c.id, w.rowid;
INSERT OR IGNORE INTO parent SELECT c.id, p.id
  FROM waiting.parent w CROSS JOIN concept c ON c.code = w.child CROSS JOIN concept p ON p.code = w.parent ORDER BY c.id, w.rowid;
INSERT OR IGNORE INTO member SELECT w.name, c.id FROM waiting.member w CROSS JOIN concept c ON c.code = w.code;
CREATE INDEX designation_of ON designation (concept);
INSERT INTO words (rowid, text)
  SELECT c.id, folded(c.code || ' ' || coalesce(c.display, '') || ' ' || coalesce(
    (SELECT group_concat(d.value, ' ') FROM designation d WHERE d.concept = c.id), '')) FROM concept c;
INSERT INTO words (words) VALUES ('optimize');
"""


class DuplicateCode(Exception):
    """A code came a second time."""


class UnknownParent(Exception):
    """A parent is no code of the system; `place` is what `add_parent` was told."""

    def __init__(self, child: str, parent: str, place: int) -> None:
        super().__init__(parent)
        self.child, self.parent, self.place = child, parent, place


class CompiledBuilder:
    """Collects a code system and, with `finish`, puts it under its name in `directory`; a context manager.

    Left without `finish`, it removes what it wrote.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._rows: dict[str, list[tuple[Any, ...]]] = {"designation": [], "property": [], "parent": [], "member": []}

    def __enter__(self) -> Self:
        self._directory.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(self._directory)
        self._written, self._waiting = (self._temporary() for _ in range(2))
        self._database = sqlite3.connect(self._written, isolation_level=None)
        self._database.execute("ATTACH ? AS waiting", (str(self._waiting),))
        for name in ("main", "waiting"):
            # Both files are thrown away when anything fails, so nothing of them has to survive a crash.
            self._database.execute(f"PRAGMA {name}.journal_mode = OFF")
            self._database.execute(f"PRAGMA {name}.synchronous = OFF")
            self._database.execute(_CACHE.format(name))
        self._database.create_function("folded", 1, _folded, deterministic=True)
        self._database.executescript(SCHEMA + _WAITING)
        self._database.execute("BEGIN")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._database.close()
        self._written.unlink(missing_ok=True)
        self._waiting.unlink(missing_ok=True)

    def _temporary(self) -> Path:
        handle, name = tempfile.mkstemp(prefix=f"{_LOADING}{os.getpid()}-", dir=self._directory)
        os.close(handle)
        return Path(name)

    def add_concept(self, code: str, display: str = "", *, active: bool = True, definition: str = "") -> None:
        """Adds a code. Raises DuplicateCode where it is there already."""
        try:
            self._database.execute(
                "INSERT INTO concept (code, display, active, definition) VALUES (?, ?, ?, ?)",
                (code, display or None, int(active), definition or None),
            )
        except sqlite3.IntegrityError:
            raise DuplicateCode(code) from None

    def add_designation(self, code: str, value: str, *, language: str = "", use: str = "") -> None:
        """Adds one more text of a code."""
        self._wait("designation", (code, language or None, use or None, value))

    def add_property(self, code: str, name: str, value: str, kind: str = "string", *, whole: str | None = None) -> None:
        """Adds a value of a property as filters compare it; `kind` is its FHIR type, `whole` a Coding as JSON."""
        self._wait("property", (code, name, kind, value, whole))

    def add_parent(self, child: str, parent: str, place: int = 0) -> None:
        """Says that `child` is directly below `parent`; `place` is where the source says so, such as its line."""
        self._wait("parent", (child, parent, place))

    def add_member(self, name: str, code: str) -> None:
        """Says that a code is in the set `name` of the source."""
        self._wait("member", (name, code))

    def _wait(self, table: str, row: tuple[Any, ...]) -> None:
        rows = self._rows[table]
        rows.append(row)
        if len(rows) >= _BATCH:
            self._flush(table)

    def _flush(self, table: str) -> None:
        rows = self._rows[table]
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            self._database.executemany(f"INSERT INTO waiting.{table} VALUES ({marks})", rows)  # noqa: S608 — our names
            rows.clear()

    def stage(self, statements: str) -> None:
        """Makes tables of the reader's own in the schema `waiting`, which is thrown away in the end."""
        self._database.executescript(statements)
        self._database.execute("BEGIN")

    def run(self, statement: str, rows: Iterable[tuple[Any, ...]] | None = None) -> sqlite3.Cursor:
        """Runs a statement on the tables of `stage`, for each of the rows where they are given."""
        if rows is None:
            return self._database.execute(statement)
        return self._database.executemany(statement, rows)

    def finish(self, header: Header, *, parents_must_exist: bool = False) -> Header:
        """Settles all rows, makes the file appear under its name, and returns the header with counts and instant.

        Raises UnknownParent where `parents_must_exist` and one does not.
        """
        for table in self._rows:
            self._flush(table)
        if parents_must_exist:
            self._check_parents()
        for statement in filter(str.strip, _SETTLE.split(";")):
            self._database.execute(statement)
        self._database.execute("COMMIT")
        folded = "" if header.is_case_sensitive else "CREATE INDEX code_in_any_case ON concept (code COLLATE NOCASE);"
        self._database.executescript(f"{INDEXES}{folded}ANALYZE;")
        complete = replace(header, counts=self._counts(), loaded_at=datetime.now(UTC).isoformat(timespec="seconds"))
        meta = {"format": FORMAT} | asdict(complete)
        rows = [(key, json.dumps(value, ensure_ascii=False)) for key, value in meta.items()]
        self._database.executemany("INSERT INTO meta VALUES (?, ?)", rows)
        self._database.close()
        _to_disk(self._written)
        self._written.chmod(0o644)
        self._written.replace(self._directory / file_name(header.url, header.version))
        return complete

    def _check_parents(self) -> None:
        unknown = self._database.execute(
            "SELECT w.child, w.parent, w.place FROM waiting.parent w LEFT JOIN concept p ON p.code = w.parent"
            " WHERE p.id IS NULL ORDER BY w.rowid LIMIT 1"
        ).fetchone()
        if unknown:
            raise UnknownParent(*unknown)

    def _counts(self) -> dict[str, int]:
        counts = {}
        for name in ("concept", "designation", "property", "parent", "member"):
            counts[name] = self._database.execute(f"SELECT count(*) FROM {name}").fetchone()[0]  # noqa: S608
        counts["inactive"] = self._database.execute("SELECT count(*) FROM concept WHERE NOT active").fetchone()[0]
        return counts


def _remove_leftovers(directory: Path) -> None:
    """Removes what processes that were killed while they loaded have left."""
    for path in directory.glob(f"{_LOADING}*"):
        process = path.name.removeprefix(_LOADING).partition("-")[0]
        if process.isdigit() and not _is_alive(int(process)):
            path.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _folded(text: str) -> str:
    return " ".join(dict.fromkeys(words_of(text)))


def _to_disk(path: Path) -> None:
    with path.open("rb") as written:
        os.fsync(written.fileno())
