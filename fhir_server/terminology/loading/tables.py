"""Rows of delimited text files, each with its line; what is missing is said with file, line and column."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fhir_server.terminology.loading.failures import SourceFault
from fhir_server.terminology.loading.sources import SourceFile, Sources

_LARGEST_FIELD = 1 << 24


@dataclass(frozen=True, slots=True)
class Row:
    """One row by column name; `line` is the line of the file on which it ends."""

    file: str
    line: int
    values: dict[str, str]
    columns: tuple[str, ...]

    def __getitem__(self, column: str) -> str:
        return self.values[column]

    def required(self, column: str) -> str:
        """Returns a value; raises SourceFault where it is empty."""
        value = self.values[column]
        if not value:
            raise self.fault(column, f"`{column}` is empty.", f"`{column}` est vide.")
        return value

    def fault(self, column: str, english: str, french: str) -> SourceFault:
        """Returns the fault of a value of this row."""
        number = self.columns.index(column) + 1 if column in self.columns else 0
        return SourceFault(self.file, english, french, line=self.line, column=number)


def comma_rows(sources: Sources, file: SourceFile, required: Sequence[str]) -> Iterator[Row]:
    """Yields the rows of a CSV file (RFC 4180) whose first line names the columns; `,`, `;` or tab between them.

    Raises SourceFault for a missing column, a row of another length, or quotes that do not close.
    """
    csv.field_size_limit(_LARGEST_FIELD)
    lines = _Lines(sources, file)
    first = next(lines, "")
    delimiter = max(",;\t", key=first.count)
    columns = tuple(name.strip() for name in next(csv.reader([first], delimiter=delimiter), []))
    _check_columns(file, columns, required)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        for values in reader:
            if values:
                yield _row(file, lines.number, columns, values)
    except csv.Error as error:
        raise SourceFault(
            file.name,
            f"the row cannot be read ({error}); texts with quotes or line ends stand between double quotes.",
            f"la ligne est illisible ({error}) ; un texte avec guillemets ou retours se met entre guillemets doubles.",
            line=lines.number,
        ) from None


def tab_rows(sources: Sources, file: SourceFile, required: Sequence[str]) -> Iterator[Row]:
    """Yields the rows of a tab-separated file without quoting, as SNOMED CT's release files are."""
    columns: tuple[str, ...] = ()
    for number, line in sources.lines(file):
        if number == 1:
            columns = tuple(line.split("\t"))
            _check_columns(file, columns, required)
        elif line:
            yield _row(file, number, columns, line.split("\t"))
    if not columns:
        _check_columns(file, columns, required)


class _Lines:
    """The lines of a file with their ends, as the csv module wants them; `number` is the last one given."""

    def __init__(self, sources: Sources, file: SourceFile) -> None:
        self._lines = sources.lines(file)
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        self.number, text = next(self._lines)
        return text + "\n"


def _check_columns(file: SourceFile, columns: Sequence[str], required: Sequence[str]) -> None:
    missing = [name for name in required if name not in columns]
    if missing:
        listed, wanted = ", ".join(f"`{name}`" for name in missing), ", ".join(f"`{name}`" for name in required)
        raise SourceFault(
            file.name,
            f"the first line lacks the columns {listed}; expected are {wanted}.",
            f"la première ligne n’a pas les colonnes {listed} ; il faut {wanted}.",
            line=1,
        )
    twice = next((name for name in columns if name and columns.count(name) > 1), None)
    if twice is not None:
        raise SourceFault(
            file.name,
            f"the column `{twice}` is there twice.",
            f"la colonne `{twice}` y est deux fois.",
            line=1,
            column=len(columns) - columns[::-1].index(twice),
        )


def _row(file: SourceFile, line: int, columns: tuple[str, ...], values: list[str]) -> Row:
    if len(values) != len(columns):
        raise SourceFault(
            file.name,
            f"the row has {len(values)} values where the first line names {len(columns)} columns.",
            f"la ligne a {len(values)} valeurs, la première ligne nomme {len(columns)} colonnes.",
            line=line,
            column=min(len(values), len(columns)) + 1,
        )
    return Row(file.name, line, dict(zip(columns, values, strict=True)), columns)
