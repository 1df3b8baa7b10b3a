"""One compiled code system, read where it lies. https://hl7.org/fhir/R4/codesystem.html

Nothing is kept in memory but SQLite's cache of pages, which is bounded; each answer is read from the file.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Protocol

from fhir_server.terminology.compiled.layout import FORMAT, Header, header_of

_CACHE_KIB = 4096
# A source may have circles; a concept is never above or below itself.
_ANCESTORS = """
WITH RECURSIVE up(id) AS (
  SELECT parent FROM parent WHERE child = ?1 UNION SELECT p.parent FROM up JOIN parent p ON p.child = up.id)
SELECT c.code FROM up JOIN concept c ON c.id = up.id WHERE up.id <> ?1
"""
_IS_BELOW = """
WITH RECURSIVE up(id) AS (
  SELECT parent FROM parent WHERE child = ? UNION SELECT p.parent FROM up JOIN parent p ON p.child = up.id)
SELECT 1 FROM up WHERE id = ?
"""
_DESCENDANTS = """
WITH RECURSIVE down(id) AS (
  SELECT child FROM parent WHERE parent = ?1 UNION SELECT p.child FROM down JOIN parent p ON p.parent = down.id)
SELECT c.code FROM down JOIN concept c ON c.id = down.id WHERE down.id <> ?1 ORDER BY c.id
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One code of a compiled system; `id` is its place in the source's order."""

    id: int
    code: str
    display: str
    is_active: bool
    definition: str


class Condition(Protocol):
    """SQL about the table `concept`, and the values of its parameters; see `conditions`."""

    @property
    def sql(self) -> str: ...

    @property
    def values(self) -> tuple[str | int, ...]: ...


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
        self._database.create_function("regexp", 2, _fits, deterministic=True)
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

    def every(self) -> Iterator[Row]:
        """Yields all rows in the source's order."""
        for row in self._database.execute("SELECT id, code, display, active, definition FROM concept ORDER BY id"):
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
        """Returns (property, FHIR type, value as text, or as JSON where it is a Coding) of a concept."""
        return self._all(
            "SELECT code, type, coalesce(whole, value) FROM property WHERE concept = ? ORDER BY rowid", row.id
        )

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

    @cached_property
    def set_names(self) -> frozenset[str]:
        """The sets of the source that have members."""
        return frozenset(name for (name,) in self._database.execute("SELECT DISTINCT name FROM member"))

    def codes_where(self, wanted: Sequence[Condition]) -> Iterator[str]:
        """Yields, in the source's order, the codes for which every condition is true."""
        statement, values = _where("SELECT concept.code FROM concept", wanted)
        for (code,) in self._database.execute(f"{statement} ORDER BY concept.id", values):
            yield code

    def passes(self, code: str, wanted: Sequence[Condition]) -> bool:
        """True where every condition is true for a code as the system writes it."""
        statement, values = _where("SELECT 1 FROM concept", [_Exactly(code), *wanted])
        return self._one(statement, *values) is not None

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


@dataclass(frozen=True, slots=True)
class _Exactly:
    code: str
    sql: str = "concept.code = ?"

    @property
    def values(self) -> tuple[str]:
        return (self.code,)


def _where(statement: str, wanted: Sequence[Condition]) -> tuple[str, list[str | int]]:
    # Conditions are made of this package's own texts; what clients send is in their values.
    tests = " AND ".join(each.sql for each in wanted)
    return f"{statement} WHERE {tests}" if tests else statement, [value for each in wanted for value in each.values]


def _fits(pattern: str, value: str | None) -> bool:
    return value is not None and _pattern(pattern).fullmatch(value) is not None


@lru_cache(maxsize=64)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


def _row(row: tuple[Any, ...]) -> Row:
    id_, code, display, active, definition = row
    return Row(id_, code, display or "", bool(active), definition or "")
