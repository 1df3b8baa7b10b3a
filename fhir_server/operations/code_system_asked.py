"""Which code system an operation is about: the one it is called on, one sent with it, or one by its URL.

https://hl7.org/fhir/R4/codesystem-operation-validate-code.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fhir_server.conformance import split_canonical
from fhir_server.errors import InvalidContent
from fhir_server.interactions.read import read
from fhir_server.operations.invocation import Invocation
from fhir_server.terminology import CodeSystemProvider, Scope
from fhir_server.terminology.problems import unknown_code_system
from fhir_server.terminology.sources import Resource


@dataclass(frozen=True, slots=True)
class AskedCodeSystem:
    """A code system by its URL and version, which may be empty; `sent` where it came along or is called upon."""

    url: str
    version: str = ""
    sent: Resource | None = None

    @property
    def resources(self) -> Sequence[Resource]:
        """What the engine is to know beside what it has."""
        return () if self.sent is None else (self.sent,)

    def find(self, scope: Scope) -> CodeSystemProvider:
        """Returns the code system; raises UnknownCodeSystem where there is none, or not in that version."""
        found = scope.code_system(self.url, self.version)
        if found is None:
            raise unknown_code_system(self.url, self.version, scope.code_system_versions(self.url))
        return found


async def asked_code_system(invocation: Invocation, names: Sequence[str], *, fallback: str = "") -> AskedCodeSystem:
    """Returns the code system that an operation is called on, or that its inputs `names` (`url` or `system`, perhaps
    `codeSystem`) or `fallback` (what a Coding says, `system|version`) name.

    Raises InvalidContent unless one is named, ResourceNotFound for an id that is not here.
    """
    inputs = invocation.inputs
    version: str = inputs.one("version") or ""
    named = [name for name in names if inputs.one(name) is not None]
    if invocation.resource_type is not None and invocation.id_ is not None:
        if named or version:
            raise _named_twice(invocation.id_, [*named, *(["version"] if version else [])])
        stored = await read(invocation.repository.store, invocation.resource_type, invocation.id_)
        return _sent(stored.resource or {}, f"CodeSystem/{invocation.id_}")
    if len(named) > 1 or not (named or fallback):
        raise _not_one(names, named)
    if named == ["codeSystem"]:
        return _sent(inputs.one("codeSystem"), "codeSystem")
    url, of_url = split_canonical(inputs.one(named[0]) if named else fallback)
    of_code = dict([split_canonical(fallback)]).get(url, "")
    return AskedCodeSystem(url, version or of_url or of_code)


def _sent(resource: Resource, place: str) -> AskedCodeSystem:
    if "url" not in resource:
        raise InvalidContent(
            f"`{place}` has no `url`: the system of its codes is not known.",
            f"`{place}` n'a pas d'`url` : le système de ses codes n'est pas connu.",
            rule="code-system-asked",
        )
    if resource.get("content") == "supplement":
        base = resource.get("supplements", "")
        raise InvalidContent(
            f"`{place}` is a supplement, which has no codes of its own: ask `{base}`, and name the supplement in"
            " `useSupplement`.",
            f"`{place}` est un supplément, sans codes à lui : interrogez `{base}`, et nommez le supplément dans"
            " `useSupplement`.",
            rule="code-system-supplement",
        )
    return AskedCodeSystem(resource["url"], resource.get("version", ""), resource)


def _named_twice(id_: str, named: Sequence[str]) -> InvalidContent:
    listed = ", ".join(f"`{name}`" for name in named)
    return InvalidContent(
        f"The operation is called on `CodeSystem/{id_}`: leave {listed} out, or call `CodeSystem/$…`.",
        f"L'opération est appelée sur `CodeSystem/{id_}` : omettez {listed}, ou appelez `CodeSystem/$…`.",
        rule="code-system-asked",
    )


def _not_one(names: Sequence[str], named: Sequence[str]) -> InvalidContent:
    listed = ", ".join(f"`{name}`" for name in names)
    sent, envoye = ("none was", "aucun") if not named else (f"{len(named)} were", f"{len(named)}")
    return InvalidContent(
        f"Name one code system: by {listed}, or in the path (`CodeSystem/[id]/$…`); {sent} sent.",
        f"Désignez un système de codes : par {listed}, ou dans le chemin (`CodeSystem/[id]/$…`) ; reçu : {envoye}.",
        rule="code-system-asked",
    )
