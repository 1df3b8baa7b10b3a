"""What `$meta-add` and `$meta-delete` share: a version's meta changed in place, on condition that nobody else has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fhir_server.errors import EditConflict
from fhir_server.interactions.checks import refusal
from fhir_server.interactions.read import read, vread
from fhir_server.operations.invocation import Invocation
from fhir_server.operations.operation import Parameter
from fhir_server.operations.resource_meta import returned
from fhir_server.spec.json_format import is_same_content

PARAMETERS = (Parameter("meta", "Meta", is_required=True),)
_ATTEMPTS = 8


async def change_meta(
    invocation: Invocation, change: Callable[[Mapping[str, Any], Mapping[str, Any]], dict[str, Any]]
) -> dict[str, Any]:
    """Returns Parameters with the meta as it stands after the change.

    No version is made, as R4 says of these operations: `versionId` and `lastUpdated` stay. Raises InvalidResource where
    the resource does not fulfil a profile that is added, EditConflict when others keep changing it.
    """
    repository = invocation.repository
    resource_type, id_ = invocation.resource_type or "", invocation.id_ or ""
    for _ in range(_ATTEMPTS):
        if invocation.version_id is None:
            version = await read(repository.store, resource_type, id_)
        else:
            version = await vread(repository.store, resource_type, id_, invocation.version_id)
        resource = version.resource or {}
        meta = change(resource["meta"], invocation.inputs.one("meta"))
        if is_same_content(meta, resource["meta"]):
            return returned(meta)
        amended = {name: meta if name == "meta" else value for name, value in resource.items()}
        if len(meta.get("profile", ())) > len(resource["meta"].get("profile", ())):
            issues = repository.validator.policy.applied(repository.validator.validate(amended))
            if any(issue.is_error for issue in issues):
                raise refusal(issues)
        await repository.watch.fresh()
        if await repository.store.amend(version, amended, repository.indexer.document(amended)):
            return returned(meta)
    raise EditConflict(
        "Others are changing the same resource at this moment; nothing was changed, please try again.",
        "D'autres modifient la même ressource en ce moment ; rien n'a été changé, merci de réessayer.",
        rule="edit-conflict",
    )
