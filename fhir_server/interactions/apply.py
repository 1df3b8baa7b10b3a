"""Applies writes, all of them or none: the one way into the store, for single interactions and transactions alike.

Everything is read and decided first, then committed on condition that nothing of it changed meanwhile. When something
did, it is decided anew; so two senders of the same condition never both win, and no lock is held while thinking.
"""

import asyncio
import random
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from fhir_server.errors import EditConflict
from fhir_server.interactions.bundle_references import fill, find_slots, literals_by_url
from fhir_server.interactions.checks import BundleContent, check, check_entries
from fhir_server.interactions.identity import identify
from fhir_server.interactions.index_build import follow_parameters
from fhir_server.interactions.patched import patched
from fhir_server.interactions.plan import plan
from fhir_server.interactions.repository import Repository
from fhir_server.interactions.write_request import WriteRequest, WriteResult
from fhir_server.outcome import Issue
from fhir_server.store import WriteConflict

ATTEMPTS = 8


async def apply(
    repository: Repository, requests: Sequence[WriteRequest], findings: Sequence[Sequence[Issue]] | None = None
) -> list[WriteResult]:
    """Returns the result of each request once all are committed.

    `findings` are given for the entries of a transaction, one list for each: the bundle was validated as a whole, and
    references to the `fullUrl` of entries and conditional references are resolved first. Raises the FhirError of the
    first request that can't be done, and EditConflict when others keep changing the same resources.
    """
    with _crowd_of(repository, requests) if findings is None else _NO_CROWD:
        return await _apply(repository, requests, findings)


def _crowd_of(repository: Repository, requests: Sequence[WriteRequest]) -> AbstractContextManager[None]:
    """Returns the crowd that the requests are of; a bundle joined its own before it was checked."""
    if len(requests) != 1:
        return repository.store.coming_transactions
    if requests[0].if_none_exist or requests[0].condition:
        return repository.store.coming_transactions
    if requests[0].method == "PUT":
        return repository.store.coming_updates
    return _NO_CROWD


_NO_CROWD = nullcontext()


async def _apply(
    repository: Repository, requests: Sequence[WriteRequest], findings: Sequence[Sequence[Issue]] | None
) -> list[WriteResult]:
    contested = False
    bundle = BundleContent(findings, find_slots(requests)) if findings is not None else None
    sent = requests if any(request.patch is not None for request in requests) else None
    for attempt in range(ATTEMPTS):
        if attempt:
            await asyncio.sleep(random.uniform(0, 0.005 * 2**attempt))  # noqa: S311 (spreads retries, guards nothing)
        if repository.once is not None and (done := await repository.once.results()) is not None:
            return done
        identities = await identify(repository, requests, contested=contested)
        if bundle is not None:
            pairs = zip(requests, identities, strict=True)
            await fill(repository, bundle.slots, literals_by_url((r, i.id_) for r, i in pairs if i is not None))
        if sent is not None:
            requests = patched(sent, identities)
        written = frozenset(
            (request.resource_type, identity.id_)
            for request, identity in zip(requests, identities, strict=True)
            if identity is not None and request.method != "DELETE"
        )
        skipped = {n for n, identity in enumerate(identities) if identity is not None and identity.matched}
        if bundle is None:
            warnings = await check(repository, requests, written, skipped)
        else:
            warnings = await check_entries(repository, requests, written, skipped, bundle)
            await repository.turnstile.passed()
        await repository.watch.fresh()
        now, rules = repository.clock(), repository.search_parameters.revision
        plans = [
            plan(repository, request, identity, now, issues)
            for request, identity, issues in zip(requests, identities, warnings, strict=True)
        ]
        changes = [change for change, _ in plans if change is not None]
        claims = [identity.claim for identity in identities if identity is not None and identity.claim is not None]
        try:
            if changes:
                if repository.once is not None:
                    claims.append(repository.once.claim([result for _, result in plans]))
                await repository.store.commit(changes, claims)
        except WriteConflict as conflict:
            contested = conflict.kind == "claim"
            continue
        await follow_parameters(repository, changes, rules)
        return [result for _, result in plans]
    raise EditConflict(
        "Others are changing the same resources at this moment; nothing was changed, please try again.",
        "D'autres modifient les mêmes ressources en ce moment ; rien n'a été changé, merci de réessayer.",
        rule="edit-conflict",
    )
