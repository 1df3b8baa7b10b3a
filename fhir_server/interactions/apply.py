"""Applies writes, all of them or none: the one way into the store, for single interactions and transactions alike.

Everything is read and decided first, then committed on condition that nothing of it changed meanwhile. When something
did, it is decided anew; so two senders of the same condition never both win, and no lock is held while thinking.
"""

import asyncio
import random
import re
from collections.abc import Sequence
from dataclasses import replace

from fhir_server.errors import EditConflict
from fhir_server.interactions.bundle_references import conditional_references, resolve_conditional, rewrite
from fhir_server.interactions.checks import check
from fhir_server.interactions.identity import Identity, identify
from fhir_server.interactions.plan import plan
from fhir_server.interactions.repository import Repository
from fhir_server.interactions.write_request import WriteRequest, WriteResult
from fhir_server.outcome import Issue
from fhir_server.store import WriteConflict

ATTEMPTS = 8
_rest_tail = re.compile(r"^https?://.*/([A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64})$")
"""A RESTful `fullUrl`: relative references of the bundle to its `Type/id` mean that entry."""


async def apply(
    repository: Repository, requests: Sequence[WriteRequest], findings: Sequence[Sequence[Issue]] | None = None
) -> list[WriteResult]:
    """Returns the result of each request once all are committed.

    `findings` are given for the entries of a transaction, one list for each: the bundle was validated as a whole, and
    references to the `fullUrl` of entries and conditional references are resolved first. Raises the FhirError of the
    first request that can't be done, and EditConflict when others keep changing the same resources.
    """
    contested = False
    for attempt in range(ATTEMPTS):
        if attempt:
            await asyncio.sleep(random.uniform(0, 0.005 * 2**attempt))  # noqa: S311 (spreads retries, guards nothing)
        identities = await identify(repository, requests, contested=contested)
        resolved = await _resolve(repository, requests, identities) if findings is not None else requests
        written = frozenset(
            (request.resource_type, identity.id_)
            for request, identity in zip(requests, identities, strict=True)
            if identity is not None and request.method != "DELETE"
        )
        warnings = await check(repository, _to_check(resolved, identities), written, findings)
        now = repository.clock()
        plans = [
            plan(repository, request, identity, now, issues)
            for request, identity, issues in zip(resolved, identities, warnings, strict=True)
        ]
        changes = [change for change, _ in plans if change is not None]
        claims = [identity.claim for identity in identities if identity is not None and identity.claim is not None]
        try:
            if changes:
                await repository.store.commit(changes, claims)
        except WriteConflict as conflict:
            contested = conflict.kind == "claim"
            continue
        return [result for _, result in plans]
    raise EditConflict(
        "Others are changing the same resources at this moment; nothing was changed, please try again.",
        "D'autres modifient les mêmes ressources en ce moment ; rien n'a été changé, merci de réessayer.",
        rule="edit-conflict",
    )


def _to_check(requests: Sequence[WriteRequest], identities: Sequence[Identity | None]) -> list[WriteRequest]:
    """A conditional create that found its resource writes nothing, so there is nothing to check."""
    return [
        replace(request, resource=None) if identity is not None and identity.matched else request
        for request, identity in zip(requests, identities, strict=True)
    ]


async def _resolve(
    repository: Repository, requests: Sequence[WriteRequest], identities: Sequence[Identity | None]
) -> list[WriteRequest]:
    targets: dict[str, str] = {}
    for request, identity in zip(requests, identities, strict=True):
        if request.full_url and identity is not None:
            literal = f"{request.resource_type}/{identity.id_}"
            targets[request.full_url] = literal
            if tail := _rest_tail.search(request.full_url):
                targets[tail[1]] = literal
    conditions = {text: r.place for r in reversed(requests) for text in conditional_references(r.resource)}
    if conditions:
        literals = await asyncio.gather(*(resolve_conditional(repository, *each) for each in conditions.items()))
        targets.update(zip(conditions, literals, strict=True))
    return [
        request
        if request.resource is None
        else replace(request, resource=rewrite(request.resource, targets, f"{request.place}.resource"))
        for request in requests
    ]
