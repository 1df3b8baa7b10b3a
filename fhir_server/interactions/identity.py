"""Which resource a write is about: assigned ids, conditions looked up, current versions read.

https://hl7.org/fhir/R4/http.html#ccreate, #cond-update, #3.1.0.7.1 (conditional delete)
"""

import asyncio
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from fhir_server.errors import ConditionNotSelective, FhirError, InvalidContent, ResourceNotFound
from fhir_server.interactions.condition import claim_key, matching_ids
from fhir_server.interactions.repository import Repository
from fhir_server.interactions.write_request import WriteRequest
from fhir_server.store import Claim, StoredVersion


class Identity(Struct, frozen=True):
    """The resource a request is about.

    `current` is its newest version, a deletion included, or None where nothing ever was; `claim` guards the condition
    under which it is created; `matched` is True where a conditional create found it; `fresh` where the id is new.
    """

    id_: str
    current: StoredVersion | None = None
    claim: Claim | None = None
    matched: bool = False
    fresh: bool = False


async def identify(
    repository: Repository, requests: Sequence[WriteRequest], *, contested: bool = False
) -> list[Identity | None]:
    """Returns the identity of each request, None for a conditional delete that matches nothing.

    `contested` is True after a claim was lost to somebody else: a claim that outlived its resource is then replaced.
    Raises ConditionNotSelective, and InvalidContent where a conditional update names another id than it matches, or
    where two requests turn out to be about the same resource, ResourceNotFound for a conditional patch of nothing.
    """
    conditional = [number for number, request in enumerate(requests) if _condition(request)]
    found: dict[int, Identity | None] = {}
    if conditional:
        results = await asyncio.gather(*(_look_up(repository, requests[n], contested) for n in conditional))
        found = dict(zip(conditional, results, strict=True))
    identities = [found[n] if n in found else _unconditional(repository, r) for n, r in enumerate(requests)]
    if len(requests) > 1:
        _refuse_overlap(requests, identities)
    known = [
        (request.resource_type, identity.id_)
        for identity, request in zip(identities, requests, strict=True)
        if identity is not None and not identity.fresh
    ]
    if not known:
        return identities
    versions = await repository.store.read_to_change(known)
    return [
        identity and replace(identity, current=versions.get((request.resource_type, identity.id_)))
        for identity, request in zip(identities, requests, strict=True)
    ]


def _refuse_overlap(requests: Sequence[WriteRequest], identities: Sequence[Identity | None]) -> None:
    """R4: a transaction fails if resource identities overlap, those that conditions resolve to included.

    Conditional creates that find the same resource do not change it, so only its deletion stands against them.
    """
    changed: dict[tuple[str, str], WriteRequest] = {}
    claimed: dict[str, WriteRequest] = {}
    pairs = [(r, i) for r, i in zip(requests, identities, strict=True) if i is not None]
    for request, identity in sorted(pairs, key=lambda pair: pair[1].matched):
        key = (request.resource_type, identity.id_)
        other = changed.get(key)
        if other is not None and (not identity.matched or other.method == "DELETE"):
            raise _overlap(other, request, "/".join(key))
        if not identity.matched:
            changed[key] = request
        if identity.claim is not None and claimed.setdefault(identity.claim.key, request) is not request:
            raise _overlap(claimed[identity.claim.key], request, identity.claim.key)


def _overlap(one: WriteRequest, other: WriteRequest, name: str) -> InvalidContent:
    return InvalidContent(
        f"Two entries are about `{name}`; a transaction may touch a resource once.",
        f"Deux entrées concernent `{name}` ; une transaction ne touche une ressource qu'une fois.",
        rule="transaction-overlap",
        expression=[f"{request.place}.request" for request in (one, other) if request.place],
    )


def _unconditional(repository: Repository, request: WriteRequest) -> Identity:
    if request.method == "POST":
        return Identity(repository.new_id(), fresh=True)
    return Identity(str(request.id_))


def _condition(request: WriteRequest) -> str | None:
    return request.if_none_exist if request.method == "POST" else request.condition


async def _look_up(repository: Repository, request: WriteRequest, contested: bool) -> Identity | None:
    condition = str(_condition(request))
    try:
        ids = await matching_ids(repository, request.resource_type, condition)
    except FhirError as error:
        if request.place and not error.expression:
            error.expression = (f"{request.place}.request",)
        raise
    if len(ids) > 1:
        raise ConditionNotSelective(
            f"The condition `{request.resource_type}?{condition}` matches more than one resource; nothing was changed.",
            f"La condition `{request.resource_type}?{condition}` désigne plus d'une ressource ; rien n'a été modifié.",
            rule="condition-multiple",
            expression=[request.place] if request.place else (),
        )
    if ids:
        return _matched(request, ids[0])
    if request.method == "DELETE":
        return None
    if request.method == "PATCH":
        raise _unmatched(request, condition)
    sent_id = (request.resource or {}).get("id") if request.method == "PUT" else None
    id_ = sent_id or repository.new_id()
    key = claim_key(request.resource_type, condition)
    replaces = await repository.store.find_claim(key) if contested else None
    return Identity(id_, claim=Claim(key, request.resource_type, id_, replaces=replaces), fresh=sent_id is None)


def _unmatched(request: WriteRequest, condition: str) -> ResourceNotFound:
    return ResourceNotFound(
        f"The condition `{request.resource_type}?{condition}` matches no resource; there is nothing to patch.",
        f"La condition `{request.resource_type}?{condition}` ne désigne aucune ressource ; il n'y a rien à modifier.",
        rule="condition-none",
        expression=[request.place] if request.place else (),
    )


def _matched(request: WriteRequest, id_: str) -> Identity:
    sent = (request.resource or {}).get("id")
    if request.method == "PUT" and sent is not None and sent != id_:
        raise InvalidContent(
            f"The condition matches `{request.resource_type}/{id_}`, but the resource says its id is `{sent}`.",
            f"La condition désigne `{request.resource_type}/{id_}`, mais la ressource indique l'id `{sent}`.",
            rule="id-mismatch",
            expression=[f"{request.resource_type}.id"],
        )
    return Identity(id_, matched=request.method == "POST")
