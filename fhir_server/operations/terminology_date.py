"""`date` of terminology operations: definitions are used as they stand, so only the present can be asked about.

https://hl7.org/fhir/R4/valueset-operation-expand.html
"""

from __future__ import annotations

from fhir_server.errors import NotSupported
from fhir_server.operations.invocation import Invocation
from fhir_server.spec.dates import date_range


def refuse_past(invocation: Invocation) -> None:
    """Raises NotSupported where `date` names a time that does not hold the present: R4 asks for an error then."""
    date: str | None = invocation.inputs.one("date")
    if date is None:
        return
    now = invocation.repository.clock()
    low, high = date_range(date, invocation.repository.search_parameters.context.zone)
    if not low <= now < high:
        raise NotSupported(
            f"`date={date}` is not the present; definitions are used as they stand. Name the version of a value set or"
            " a code system instead (`valueSetVersion`, `version`, `system-version`).",
            f"`date={date}` n’est pas le présent ; les définitions sont utilisées telles quelles. Nommez plutôt la"
            " version d’un jeu de valeurs ou d’un système de codes (`valueSetVersion`, `version`, `system-version`).",
            rule="terminology-date",
        )
