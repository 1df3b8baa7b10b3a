"""The findings of the profile that `$validate` is asked about by name, be it in force here or stored by a client."""

from __future__ import annotations

from typing import Any

from fhir_server.errors import NotSupported
from fhir_server.operations.invocation import Invocation
from fhir_server.operations.known_profiles import check_known
from fhir_server.operations.stored_profiles import definitions_needed, find_stored
from fhir_server.operations.terminology_scope import evaluate
from fhir_server.outcome import Issue


async def issues_of_profile(invocation: Invocation, resource: dict[str, Any], canonical: str) -> list[Issue]:
    """Returns what the profile asks of `resource` beyond R4.

    Raises NotSupported, which names what is known, where nothing can be checked against it.
    """
    repository = invocation.repository
    validator = repository.validator
    stored = None if validator.knows(canonical) else await find_stored(repository, canonical)
    if stored is None:
        check_known(validator, canonical, str(resource.get("resourceType", "")))
        found = validator.validate(resource, profiles=[canonical])
        return [issue for issue in found if canonical in issue.profiles]
    definitions = {stored["url"]: stored, **await definitions_needed(repository, stored)}
    terminology = repository.terminology
    found = await evaluate(
        invocation,
        lambda scope: validator.examine_against(resource, canonical, definitions, terminology.seen_by(scope)),
    )
    for issue in found:
        if issue.rule == "profile-unusable":
            raise NotSupported(issue.english, issue.french, rule=issue.rule)
    return found
