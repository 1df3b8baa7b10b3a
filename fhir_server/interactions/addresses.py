"""Types, ids and versions in URLs and headers, and that a body agrees with its URL. https://hl7.org/fhir/R4/http.html"""

import difflib
import re
from typing import Any

from fhir_server.errors import InvalidContent, ResourceNotFound
from fhir_server.spec.definitions import resource_types

_id = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_etag = re.compile(r'(?:W/)?"([^"]*)"|([A-Za-z0-9\-.]+)')


def check_type(resource_type: str, expression: str = "") -> str:
    """Returns `resource_type`; raises ResourceNotFound, with the nearest names, where R4 has no such type."""
    if resource_type in resource_types():
        return resource_type
    near = difflib.get_close_matches(resource_type, resource_types(), n=3, cutoff=0.6)
    hint = f" Did you mean {', '.join(f'`{name}`' for name in near)}?" if near else ""
    astuce = f" Vouliez-vous dire {', '.join(f'`{name}`' for name in near)} ?" if near else ""
    raise ResourceNotFound(
        f"`{resource_type}` is not a resource type of FHIR R4.{hint}",
        f"`{resource_type}` n'est pas un type de ressource de FHIR R4.{astuce}",
        rule="type-unknown",
        expression=[expression] if expression else (),
    )


def check_id(id_: str, expression: str = "") -> str:
    """Returns `id_`; raises InvalidContent where R4 allows no such id."""
    if _id.fullmatch(id_):
        return id_
    raise InvalidContent(
        f"Resource id `{id_}` is invalid: 1 to 64 letters, digits, `-` and `.` are allowed.",
        f"L'id de ressource `{id_}` est invalide : 1 à 64 lettres, chiffres, `-` et `.` sont permis.",
        rule="id-format",
        expression=[expression] if expression else (),
    )


def check_resource(resource: dict[str, Any], resource_type: str, id_: str | None, *, place: str = "") -> None:
    """Raises InvalidContent where a body is of another type, or has another id, than its URL says."""
    sent = resource.get("resourceType")
    if sent != resource_type:
        named = f"`{sent}`" if sent is not None else "without `resourceType`"
        nomme = f"`{sent}`" if sent is not None else "sans `resourceType`"
        raise InvalidContent(
            f"The URL asks for a `{resource_type}`, but the resource is {named}.",
            f"L'URL demande un `{resource_type}`, mais la ressource est {nomme}.",
            rule="type-mismatch",
            expression=[place or resource_type],
        )
    if id_ is not None and resource.get("id") != id_:
        sent_id = resource.get("id")
        has, a = ("it has none", "elle n'en a pas") if sent_id is None else (f"it is `{sent_id}`", f"c'est `{sent_id}`")
        raise InvalidContent(
            f"The resource's `id` must be `{id_}`, as in the URL; {has}.",
            f"L'`id` de la ressource doit être `{id_}`, comme dans l'URL ; {a}.",
            rule="id-mismatch",
            expression=[f"{place or resource_type}.id"],
        )


def parse_if_none_exist(text: str, resource_type: str, expression: str = "") -> str:
    """Returns the query in an `If-None-Exist`, which may come with a leading `Type?` or `?`.

    Raises InvalidContent where it holds no search parameter: a create without its condition makes duplicates.
    https://hl7.org/fhir/R4/http.html#ccreate
    """
    query = text.removeprefix(f"{resource_type}?").removeprefix("?")
    if query.strip("&"):
        return query
    raise InvalidContent(
        "`If-None-Exist` holds no search parameter.",
        "`If-None-Exist` ne contient aucun paramètre de recherche.",
        rule="condition-empty",
        expression=[expression] if expression else (),
    )


def parse_if_match(text: str, expression: str = "") -> tuple[int, ...]:
    """Returns the versions in an `If-Match`, such as `W/"3"` or a list of them; an empty tuple for `*`, any version.

    A version of another server's form matches none: -1. Raises InvalidContent for anything else.
    """
    if text.strip() == "*":
        return ()
    return tuple(_version(part, text, expression) for part in text.split(","))


def _version(part: str, text: str, expression: str) -> int:
    match = _etag.fullmatch(part.strip())
    if match is None:
        raise InvalidContent(
            f'`If-Match` must be a version such as `W/"3"`, a list of versions, or `*`, not `{text}`.',
            f'`If-Match` doit être une version comme `W/"3"`, une liste de versions ou `*`, et non `{text}`.',
            rule="if-match-format",
            expression=[expression] if expression else (),
        )
    version = match[1] or match[2] or ""
    return int(version) if version.isdecimal() and len(version) < 10 else -1
