"""The root README agrees with the code: settings and refusals."""

import re
from pathlib import Path

from fhir_server.errors import FhirError
from fhir_server.settings import describe

README = (Path(__file__).parents[2] / "README.md").read_text()


def rows(pattern: str) -> set[tuple[str, ...]]:
    """Returns the cells, without back quotes, of the table rows that begin with `pattern`."""
    found = set()
    for line in README.splitlines():
        if re.match(rf"\| `?{pattern}", line):
            found.add(tuple(cell.strip().strip("`") for cell in line.strip("|").split("|")))
    return found


def test_every_setting_has_its_row() -> None:
    assert {row[:2] for row in rows("FHIR_")} == {(name, default) for name, default, _ in describe()}


def test_every_refusal_has_its_row() -> None:
    listed = {(int(row[0]), row[1].partition("`")[0]) for row in rows(r"\d{3} ")}
    built = {(error.status, error.issue_code) for error in FhirError.__subclasses__()}
    assert built <= listed
