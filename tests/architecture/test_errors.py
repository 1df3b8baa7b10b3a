"""Errors, their picture and R4's issue codes agree."""

import re

from fhir_server import errors
from fhir_server.errors import FhirError
from fhir_server.spec.definitions import table


def issue_types() -> set[str]:
    [system] = [row for row in table("code_systems") if row["url"] == "http://hl7.org/fhir/issue-type"]
    codes: set[str] = set()

    def collect(concepts: list[object]) -> None:
        for concept in concepts:
            if isinstance(concept, list):
                codes.add(concept[0])
                collect(concept[2] if len(concept) > 2 else [])
            else:
                codes.add(str(concept))

    collect(system["concept"])
    return codes


def test_docstring_lists_every_error_with_its_status_and_code() -> None:
    listed = set(re.findall(r"── (\w+)\s+(\d{3}) (\S+)", errors.__doc__ or ""))
    assert listed == {(e.__name__, str(e.status), e.issue_code) for e in FhirError.__subclasses__()}


def test_every_issue_code_is_one_of_r4() -> None:
    assert {e.issue_code for e in FhirError.__subclasses__()} <= issue_types()
