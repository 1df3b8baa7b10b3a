"""A code system from a CSV file. https://hl7.org/fhir/R4/codesystem.html

The first line names the columns. `code` and `display` are required. `parent` names the codes above, several with `|`
between them, `definition` explains, `active` is `true` or `false`, `display:en` is a text in another language; every
other column is a property of that name, with `|` between several values.
"""

from __future__ import annotations

from fhir_server.terminology.compiled import CompiledBuilder, DuplicateCode, Header, UnknownParent
from fhir_server.terminology.loading.failures import SourceFault
from fhir_server.terminology.loading.request import LoadRequest
from fhir_server.terminology.loading.tables import Row, comma_rows

_OWN = frozenset({"code", "display", "parent", "definition", "active"})
_BOOLEANS = {"": True, "true": True, "1": True, "false": False, "0": False}


def load(request: LoadRequest) -> None:
    """Loads the files as one system. Raises SourceFault for what is wrong with them."""
    files = request.sources.required(r".*\.(csv|tsv|txt)", "codes.csv")
    if not request.system:
        raise SourceFault(
            files[0].name,
            "a CSV file does not say its system; give `--system URL` (and `--version`).",
            "un fichier CSV ne dit pas son système ; donnez `--system URL` (et `--version`).",
        )
    properties: dict[str, str] = {}
    file = files[0]
    with CompiledBuilder(request.directory) as builder:
        for file in files:
            for row in comma_rows(request.sources, file, ["code", "display"]):
                _add(builder, row, properties)
        header = Header(
            request.system,
            request.version,
            "csv",
            language=request.language,
            property_types=properties,
            sources=tuple(request.sources.read),
        )
        try:
            finished = builder.finish(header, parents_must_exist=True)
        except UnknownParent as unknown:
            raise SourceFault(
                file.name,
                f"`{unknown.parent}`, the parent of `{unknown.child}`, is not a code of this system.",
                f"`{unknown.parent}`, parent de `{unknown.child}`, n’est pas un code de ce système.",
                line=unknown.place,
            ) from None
    request.on_loaded(finished)


def _add(builder: CompiledBuilder, row: Row, properties: dict[str, str]) -> None:
    code = row.required("code")
    if code != code.strip() or "\n" in code:
        raise row.fault("code", f"the code `{code}` has spaces around it.", f"le code `{code}` a des espaces autour.")
    try:
        builder.add_concept(
            code, row.required("display"), active=_active(row), definition=row.values.get("definition", "")
        )
    except DuplicateCode:
        raise row.fault("code", f"the code `{code}` is there twice.", f"le code `{code}` y est deux fois.") from None
    for parent in _several(row.values.get("parent", "")):
        builder.add_parent(code, parent, row.line)
    for name, value in row.values.items():
        kind, _, language = name.partition(":")
        if kind == "display" and language and value:
            builder.add_designation(code, value, language=language)
        elif name and name not in _OWN and not (kind == "display" and language):
            properties[name] = "string"
            for each in _several(value):
                builder.add_property(code, name, each)


def _active(row: Row) -> bool:
    text = row.values.get("active", "").strip().lower()
    if text not in _BOOLEANS:
        raise row.fault(
            "active", f"`active` is `true` or `false`, not `{text}`.", f"`active` vaut `true` ou `false`, pas `{text}`."
        )
    return _BOOLEANS[text]


def _several(text: str) -> list[str]:
    return [part for part in (each.strip() for each in text.split("|")) if part]
