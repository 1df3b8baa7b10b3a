"""One compiled code system, read where it lies. https://hl7.org/fhir/R4/codesystem.html

Nothing is kept in memory but SQLite's cache of pages, which is bounded; each answer is read from the file.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fhir_server.index.words import words_of
from fhir_server.terminology.compiled.layout import FORMAT, Header, header_of

_CACHE_KIB = 4096
_ANCESTORS = """
WITH RECURSIVE up(id) AS (
  SELECT parent FROM parent WHERE child = ? UNION SELECT p.parent FROM up JOIN parent p ON p.child = up.id)
SELECT c.code FROM up JOIN concept c ON c.id = up.id
"""
_IS_BELOW = """
WITH RECURSIVE up(id) AS (
  SELECT parent FROM parent WHERE child = ? UNION SELECT p.parent FROM up JOIN parent p ON p.child = up.id)
SELECT 1 FROM up WHERE id = ?
"""
_DESCENDANTS = """
WITH RECURSIVE down(id) AS (
  SELECT child FROM parent WHERE parent = ? UNION SELECT p.child FROM down JOIN parent p ON p.parent = down.id)
SELECT c.code FROM down JOIN concept c ON c.id = down.id ORDER BY c.id
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One code of a compiled system; `id` is its place in the source's order."""

    id: int
    code: str
    display: str
    is_active: bool
    definition: str


class CompiledFile:
    """Answers about the codes of one compiled file.

    May be asked by several threads. Raises ValueError where the file is none of ours, or of another format.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._database = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False, isolation_level=None
        )
        try:
            self._database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            meta = {key: json.loads(value) for key, value in self._database.execute("SELECT key, value FROM meta")}
        except sqlite3.DatabaseError as error:
            raise ValueError(f"{path}: {error}") from None
        if meta.get("format") != FORMAT:
            raise ValueError(f"{path}: format {meta.get('format')}, not {FORMAT}")
        self.header: Header = header_of(meta)

    def find(self, code: str) -> Row | None:
        """Returns the row of a code; None where the system has no such code."""
        row = self._one("SELECT id, code, display, active, definition FROM concept WHERE code = ?", code)
        if row is None and not self.header.is_case_sensitive:
            row = self._one(
                "SELECT id, code, display, active, definition FROM concept WHERE code = ? COLLATE NOCASE LIMIT 1", code
            )
        return None if row is None else _row(row)

    def rows(self, ids: list[int]) -> Iterator[Row]:
        """Yields the rows of concepts by their `id`, in the order of the ids."""
        for id_ in ids:
            row = self._one("SELECT id, code, display, active, definition FROM concept WHERE id = ?", id_)
            if row is not None:
                yield _row(row)

    def every(self, *, after: int = 0, limit: int = -1) -> Iterator[Row]:
        """Yields all rows behind the id `after`, in the source's order, at most `limit` where it is given."""
        cursor = self._database.execute(
            "SELECT id, code, display, active, definition FROM concept WHERE id > ? ORDER BY id LIMIT ?", (after, limit)
        )
        for row in cursor:
            yield _row(row)

    def designations(self, row: Row) -> list[tuple[str, str, str]]:
        """Returns (language, use, value) of the further texts of a concept; language and use may be empty."""
        return [
            (language or "", use or "", value)
            for language, use, value in self._all(
                "SELECT language, use, value FROM designation WHERE concept = ? ORDER BY rowid", row.id
            )
        ]

    def properties(self, row: Row) -> list[tuple[str, str, str]]:
        """Returns (property, FHIR type, value as text) of a concept."""
        return self._all("SELECT code, type, value FROM property WHERE concept = ? ORDER BY rowid", row.id)

    def parents(self, row: Row) -> list[str]:
        """Returns the codes directly above a concept."""
        return self._codes("SELECT c.code FROM parent p JOIN concept c ON c.id = p.parent WHERE p.child = ?", row.id)

    def children(self, row: Row) -> list[str]:
        """Returns the codes directly below a concept."""
        return self._codes("SELECT c.code FROM parent p JOIN concept c ON c.id = p.child WHERE p.parent = ?", row.id)

    def ancestors(self, row: Row) -> list[str]:
        """Returns every code above a concept, without itself."""
        return self._codes(_ANCESTORS, row.id)

    def descendants(self, row: Row) -> list[str]:
        """Returns every code below a concept, without itself."""
        return self._codes(_DESCENDANTS, row.id)

    def is_below(self, row: Row, ancestor: Row) -> bool:
        """True where `ancestor` is somewhere above `row`."""
        return self._one(_IS_BELOW, row.id, ancestor.id) is not None

    def roots(self) -> list[str]:
        """Returns the codes that have nothing above them and something below."""
        return self._codes(
            "SELECT c.code FROM concept c WHERE NOT EXISTS (SELECT 1 FROM parent WHERE child = c.id)"
            " AND EXISTS (SELECT 1 FROM parent WHERE parent = c.id) ORDER BY c.id"
        )

    def having(self, property_: str, value: str) -> list[str]:
        """Returns the codes that have this value of a property."""
        return self._codes(
            "SELECT DISTINCT c.code FROM property p JOIN concept c ON c.id = p.concept"
            " WHERE p.code = ? AND p.value = ? ORDER BY c.id",
            property_,
            value,
        )

    def values(self, property_: str) -> Iterator[tuple[str, str]]:
        """Yields (code, value) of every value of a property."""
        yield from self._database.execute(
            "SELECT c.code, p.value FROM property p JOIN concept c ON c.id = p.concept WHERE p.code = ?", (property_,)
        )

    def members(self, name: str) -> list[str]:
        """Returns the codes of a set of the source, such as a reference set; an empty list where there is none."""
        return self._codes(
            "SELECT c.code FROM member m JOIN concept c ON c.id = m.concept WHERE m.name = ? ORDER BY c.id", name
        )

    @cached_property
    def set_names(self) -> frozenset[str]:
        """The sets of the source that have members."""
        return frozenset(name for (name,) in self._database.execute("SELECT DISTINCT name FROM member"))

    def search(self, text: str, *, limit: int = -1) -> list[str]:
        """Returns the codes of which some text has, for each word of `text`, a word that begins with it."""
        words = words_of(text)
        if not words:
            return []
        query = " AND ".join(f'"{word}"*' for word in words)
        return self._codes(
            "SELECT c.code FROM concept c WHERE c.id IN (SELECT rowid FROM words WHERE words MATCH ?)"
            " ORDER BY c.id LIMIT ?",
            query,
            limit,
        )

    def close(self) -> None:
        """Closes the file."""
        self._database.close()

    def _one(self, statement: str, *values: Any) -> tuple[Any, ...] | None:
        found: tuple[Any, ...] | None = self._database.execute(statement, values).fetchone()
        return found

    def _all(self, statement: str, *values: Any) -> list[Any]:
        return self._database.execute(statement, values).fetchall()

    def _codes(self, statement: str, *values: Any) -> list[str]:
        return [code for (code, *_) in self._database.execute(statement, values)]


def _row(row: tuple[Any, ...]) -> Row:
    id_, code, display, active, definition = row
    return Row(id_, code, display or "", bool(active), definition or "")
