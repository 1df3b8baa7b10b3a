"""Code systems from FHIR: CodeSystem resources, Bundles of them, packages (`.tgz`), folders.

https://hl7.org/fhir/R4/codesystem.html

Resources are read one after the other; those of other types, and code systems without codes, are passed over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from fhir_server.terminology.code_systems.concept import Concept, Roles, read_concept, roles_of
from fhir_server.terminology.compiled import CompiledBuilder, DuplicateCode, Header, UnknownParent
from fhir_server.terminology.compiled.layout import ABSTRACT
from fhir_server.terminology.loading.failures import SourceFault
from fhir_server.terminology.loading.request import LoadRequest
from fhir_server.terminology.loading.sources import SourceFile, Sources, not_utf8

_LOADABLE = frozenset({"complete", "fragment"})
_NOT_RESOURCES = frozenset({"package.json", ".index.json"})


def load(request: LoadRequest) -> None:
    """Loads every code system of the source, or that which `request.system` names. Raises SourceFault without one."""
    files = request.sources.required(r".*\.json", "CodeSystem-example.json")
    seen: dict[str, None] = {}
    loaded = 0
    for file in files:
        if file.path.name in _NOT_RESOURCES:
            continue
        before = len(request.sources.read)
        for resource in _code_systems(_read(request.sources, file)):
            seen[str(resource.get("url", ""))] = None
            if resource.get("content") in _LOADABLE and request.system in ("", resource.get("url")):
                _load(request, file, resource, before)
                loaded += 1
    if not loaded:
        named = ", ".join(f"`{url}`" for url in list(seen)[:20]) or "—"
        raise SourceFault(
            files[0].name,
            f"no CodeSystem with codes (`content` complete or fragment) was asked for and found; there are: {named}.",
            f"aucun CodeSystem avec ses codes (`content` complete ou fragment) demandé ne s’y trouve ; il y a : {named}.",
        )


def _read(sources: Sources, file: SourceFile) -> Any:
    with sources.stream(file) as stream:
        content = stream.read()
    try:
        return msgspec.json.decode(content)
    except msgspec.DecodeError:
        pass
    # The standard library says where the fault is.
    try:
        json.loads(content.decode())
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise not_utf8(file.name, line, error.start - content.rfind(b"\n", 0, error.start)) from None
    except json.JSONDecodeError as error:
        raise SourceFault(
            file.name,
            f"the JSON is broken: {error.msg}.",
            f"le JSON est mal formé : {error.msg}.",
            line=error.lineno,
            column=error.colno,
        ) from None
    return None


def _code_systems(node: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(node, dict):
        return
    if node.get("resourceType") == "CodeSystem":
        yield node
    elif node.get("resourceType") == "Bundle":
        for entry in node.get("entry", ()):
            yield from _code_systems(entry.get("resource"))


def _load(request: LoadRequest, file: SourceFile, resource: Mapping[str, Any], first_source: int) -> None:
    url = resource.get("url")
    if not isinstance(url, str) or not url:
        raise SourceFault(file.name, "the CodeSystem has no `url`.", "le CodeSystem n’a pas d’`url`.")
    with CompiledBuilder(request.directory) as builder:
        try:
            _add(builder, resource.get("concept", ()), None, roles_of(resource))
            header = Header(
                url,
                request.version or str(resource.get("version", "")),
                "fhir",
                content=resource["content"],
                name=str(resource.get("name", "")),
                language=str(resource.get("language", "")),
                is_case_sensitive=resource.get("caseSensitive", True) is not False,
                hierarchy_meaning=str(resource.get("hierarchyMeaning", "is-a")),
                copyright=str(resource.get("copyright", "")),
                property_types={row["code"]: row["type"] for row in resource.get("property", ()) if "type" in row},
                sources=tuple(request.sources.read[first_source:]),
            )
            finished = builder.finish(header, parents_must_exist=resource["content"] == "complete")
        except DuplicateCode as twice:
            raise SourceFault(
                file.name, f"`{url}` has the code `{twice}` twice.", f"`{url}` a deux fois le code `{twice}`."
            ) from None
        except UnknownParent as unknown:
            raise SourceFault(
                file.name,
                f"`{unknown.parent}`, the parent of `{unknown.child}`, is not a code of `{url}`.",
                f"`{unknown.parent}`, parent de `{unknown.child}`, n’est pas un code de `{url}`.",
            ) from None
        except (KeyError, TypeError, AttributeError) as error:
            raise SourceFault(
                file.name,
                f"`{url}` is not a valid CodeSystem: a concept is malformed ({error!r}).",
                f"`{url}` n’est pas un CodeSystem valide : un concept est mal formé ({error!r}).",
            ) from None
    request.on_loaded(finished)


def _add(builder: CompiledBuilder, concepts: Any, parent: str | None, roles: Roles) -> int:
    """Adds the concepts and those below them; returns how many."""
    count = 0
    for entry in concepts:
        concept, children = read_concept(entry, roles)
        builder.add_concept(
            concept.code, concept.display, active=not concept.is_inactive, definition=concept.definition
        )
        for above in [*([] if parent is None else [parent]), *concept.parents]:
            builder.add_parent(concept.code, above)
        for below in children:
            builder.add_parent(below, concept.code)
        _add_properties(builder, concept)
        for designation in concept.designations:
            use = designation.use or {}
            named = f"{use.get('system', '')}|{use['code']}" if "code" in use else ""
            builder.add_designation(concept.code, designation.value, language=designation.language, use=named)
        count += 1 + _add(builder, entry.get("concept", ()), concept.code, roles)
    return count


def _add_properties(builder: CompiledBuilder, concept: Concept) -> None:
    for name, values in concept.properties.items():
        for value in values:
            kind = value.element.removeprefix("value")
            if kind == "Coding":
                whole = json.dumps(value.value, ensure_ascii=False)
                builder.add_property(concept.code, name, value.text, kind, whole=whole)
            else:
                builder.add_property(concept.code, name, value.text, kind[:1].lower() + kind[1:])
    # A system may say so by a property of another name, which the file does not tell apart.
    if concept.is_abstract and ABSTRACT not in concept.properties:
        builder.add_property(concept.code, ABSTRACT, "true", "boolean")
