"""`$validate`: all findings about a resource, as it is or as something to be created, updated or deleted.

https://hl7.org/fhir/R4/resource-operation-validate.html

A resource that is not valid is an answer, not a refusal: 200 with every finding. Refused is only what leaves unknown
whether it is valid: inputs that make no sense, or a profile that is not known here.
"""

from __future__ import annotations

from typing import Any

from fhir_server.errors import InvalidContent
from fhir_server.interactions.read import read
from fhir_server.operations.expected_write import issues_of_create, issues_of_delete, issues_of_type, issues_of_update
from fhir_server.operations.invocation import Invocation
from fhir_server.operations.nominated_profile import issues_of_profile
from fhir_server.operations.operation import HL7, Operation, Parameter
from fhir_server.outcome import Issue, build_outcome

MODES = ("create", "update", "delete", "profile")


async def run(invocation: Invocation) -> dict[str, Any]:
    """Returns an OperationOutcome with every finding; with none of them, one that says all is well."""
    return build_outcome(await _find_issues(invocation), invocation.language)


async def _find_issues(invocation: Invocation) -> list[Issue]:
    repository, mode, id_ = invocation.repository, _mode(invocation), invocation.id_
    if mode == "delete":
        return await issues_of_delete(repository, invocation.resource_type or "", id_ or "")
    resource = await _resource(invocation, mode)
    profile: str | None = invocation.inputs.one("profile")
    asked = [] if profile is None else await issues_of_profile(invocation, resource, profile)
    if resource.get("resourceType") == "Bundle":
        await repository.turnstile.passed()
    if mode == "update":
        found = await issues_of_update(repository, invocation.resource_type or "", id_ or "", resource)
    elif mode == "create":
        found = await issues_of_create(repository, invocation.resource_type, resource)
    else:
        found = issues_of_type(resource, invocation.resource_type) + repository.validator.validate(resource)
    # A profile that is asked for by name is not a matter of the policy: all its findings are told, as they are.
    return found + [issue for issue in asked if issue not in found]


def _mode(invocation: Invocation) -> str | None:
    mode: str | None = invocation.inputs.one("mode")
    if mode is None:
        return None
    if mode not in MODES:
        listed = ", ".join(f"`{each}`" for each in MODES)
        raise InvalidContent(
            f"`mode` of `$validate` is one of {listed}, not `{mode}`.",
            f"`mode` de `$validate` vaut {listed}, et non `{mode}`.",
            rule="validate-mode",
        )
    if mode != "create" and invocation.id_ is None:
        raise InvalidContent(
            f"`mode={mode}` is about a resource that is here: call `[base]/[type]/[id]/$validate`. Elsewhere `mode` is"
            " `create` or absent.",
            f"`mode={mode}` porte sur une ressource présente : appelez `[base]/[type]/[id]/$validate`. Ailleurs, `mode`"
            " vaut `create` ou est absent.",
            rule="validate-mode",
        )
    if mode == "profile" and (invocation.inputs.one("resource") or not invocation.inputs.one("profile")):
        raise InvalidContent(
            "`mode=profile` checks the stored resource against `profile`: name one, and send no resource. To check a"
            " resource that you send, leave `mode` out.",
            "`mode=profile` vérifie la ressource enregistrée selon `profile` : indiquez-en un, sans envoyer de"
            " ressource. Pour vérifier une ressource envoyée, omettez `mode`.",
            rule="validate-mode",
        )
    return mode


async def _resource(invocation: Invocation, mode: str | None) -> dict[str, Any]:
    """Returns what is to be checked: the resource that was sent or, on an instance, else the one that is stored."""
    sent: dict[str, Any] | None = invocation.inputs.one("resource")
    if sent is not None:
        return sent
    if invocation.id_ is None or invocation.resource_type is None or mode in ("create", "update"):
        raise InvalidContent(
            "`$validate` needs a resource: as the body itself, or as `resource` of a Parameters. Without one it checks"
            " the stored resource of `[base]/[type]/[id]/$validate`.",
            "`$validate` demande une ressource : le corps lui-même, ou `resource` d'un Parameters. Sans elle, il"
            " vérifie la ressource enregistrée de `[base]/[type]/[id]/$validate`.",
            rule="validate-resource",
        )
    version = await read(invocation.repository.store, invocation.resource_type, invocation.id_)
    return version.resource or {}


OPERATION = Operation(
    canonical=f"{HL7}Resource-validate",
    code="validate",
    levels=frozenset({"system", "type", "instance"}),
    run=run,
    parameters=(Parameter("resource", "Resource"), Parameter("mode", "code"), Parameter("profile", "uri")),
    subject="resource",
    is_judge=True,
)
