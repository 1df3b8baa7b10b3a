"""`If-Match` and `If-None-Match: *` of a write, against the version that stands.

https://hl7.org/fhir/R4/http.html#concurrency
"""

from fhir_server.errors import ResourceDeleted, VersionConflict
from fhir_server.interactions.write_request import WriteRequest
from fhir_server.store import StoredVersion


def refuse_stale(request: WriteRequest, current: StoredVersion | None) -> None:
    """Raises VersionConflict or ResourceDeleted where `request` asks for another state than `current`."""
    if request.if_match is None and not request.must_be_new:
        return
    id_ = request.id_ or (current.id_ if current else None)
    name = f"{request.resource_type}/{id_}" if id_ else f"{request.resource_type}?{request.condition}"
    expression = [request.place] if request.place else []
    if request.must_be_new and current is not None and not current.is_deletion:
        raise VersionConflict(
            f"`{name}` exists already, and `If-None-Match: *` asks that it does not.",
            f"`{name}` existe déjà, alors que `If-None-Match: *` demande le contraire.",
            rule="if-none-match",
            expression=expression,
        )
    if request.if_match is None:
        return
    if current is not None and current.is_deletion:
        raise ResourceDeleted(
            f"`{name}` was deleted.", f"`{name}` a été supprimée.", rule="resource-deleted", expression=expression
        )
    if current is None or (request.if_match and current.version_id not in request.if_match):
        asked, demande = _asked(request.if_match)
        stands_at = f"stands at version {current.version_id}" if current is not None else "is not there"
        en_est = f"en est à la version {current.version_id}" if current is not None else "n'existe pas"
        raise VersionConflict(
            f"`If-Match` names {asked}, but `{name}` {stands_at}. Read it and try again.",
            f"`If-Match` désigne {demande}, mais `{name}` {en_est}. Relisez et réessayez.",
            rule="if-match",
            expression=expression,
        )


def _asked(versions: tuple[int, ...]) -> tuple[str, str]:
    """Returns what an `If-Match` names, in English and in French."""
    if not versions:
        return "any version", "une version quelconque"
    known = [str(version) for version in versions if version > 0]
    if not known:
        return "a version that this server never gave", "une version inconnue de ce serveur"
    return f"version {' or '.join(known)}", f"la version {' ou '.join(known)}"
