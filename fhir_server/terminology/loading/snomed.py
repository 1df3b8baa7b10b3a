"""SNOMED CT from the Snapshot files of a release in Release Format 2, of one edition or of one with its extension.

https://hl7.org/fhir/R4/snomedct.html

Of rows with the same id the newest counts, so the files of an extension may lie beside those that it extends. The
hierarchy is the inferred one. The display is the preferred term in the language asked for, else in English, else the
fully specified name; all active descriptions are designations. Attributes are properties named by their concept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import groupby
from operator import itemgetter

from fhir_server.terminology.compiled import CompiledBuilder, Header
from fhir_server.terminology.loading.failures import SourceFault
from fhir_server.terminology.loading.request import LoadRequest
from fhir_server.terminology.loading.sources import SourceFile, Sources
from fhir_server.terminology.loading.tables import Row, tab_rows

SYSTEM = "http://snomed.info/sct"
IS_A = "116680003"
FULLY_SPECIFIED = "900000000000003001"
SYNONYM = "900000000000013009"
PREFERRED = "http://terminology.hl7.org/CodeSystem/hl7TermMaintInfra|preferredForLanguage"
MODULES = {"INT": "900000000000207008", "FR1000315": "11000315107"}
"""Modules of the editions whose release files tell by their names which they are of."""

_INFERRED = 900000000000011006
_DEFINED = 900000000000073002
_PREFERRED = 900000000000548007
_US_ENGLISH = 900000000000509007
_BATCH = 5000

_COMMON = ("id", "effectiveTime", "active", "moduleId")
_STAGES = """
CREATE TABLE waiting.rf2_concept (id INTEGER PRIMARY KEY, effective INTEGER, active INTEGER, module INTEGER, defined INTEGER);
CREATE TABLE waiting.rf2_description (
  id INTEGER PRIMARY KEY, effective INTEGER, active INTEGER, concept INTEGER, language TEXT, type INTEGER, term TEXT);
CREATE TABLE waiting.rf2_relationship (
  id INTEGER PRIMARY KEY, effective INTEGER, active INTEGER, source INTEGER, destination INTEGER, type INTEGER);
CREATE TABLE waiting.rf2_language (
  refset INTEGER, description INTEGER, effective INTEGER, active INTEGER, acceptability INTEGER,
  PRIMARY KEY (description, refset)) WITHOUT ROWID;
CREATE TABLE waiting.rf2_member (
  refset INTEGER, concept INTEGER, effective INTEGER, active INTEGER, PRIMARY KEY (refset, concept)) WITHOUT ROWID;
"""
_NEWER = " DO UPDATE SET {} WHERE excluded.effective >= effective"
_INSERTS = {
    "rf2_concept": "(?, ?, ?, ?, ?) ON CONFLICT (id)"
    + _NEWER.format("effective = excluded.effective, active = excluded.active, module = excluded.module,"
    " defined = excluded.defined"),
    "rf2_description": "(?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id)"
    + _NEWER.format("effective = excluded.effective, active = excluded.active, term = excluded.term"),
    "rf2_relationship": "(?, ?, ?, ?, ?, ?) ON CONFLICT (id)"
    + _NEWER.format("effective = excluded.effective, active = excluded.active"),
    "rf2_language": "(?, ?, ?, ?, ?) ON CONFLICT (description, refset)"
    + _NEWER.format("effective = excluded.effective, active = excluded.active, acceptability = excluded.acceptability"),
    "rf2_member": "(?, ?, ?, ?) ON CONFLICT (refset, concept)"
    + _NEWER.format("effective = excluded.effective, active = excluded.active"),
}
# One row per description, those without one too; `rank` is the best acceptability in a language reference set.
_TERMS = f"""
SELECT c.id, c.active, c.module, c.defined, d.language, d.type, d.term,
  (SELECT max(CASE WHEN l.refset = {_US_ENGLISH} THEN 2 ELSE 1 END) FROM waiting.rf2_language l
   WHERE l.description = d.id AND l.active AND l.acceptability = {_PREFERRED}) AS rank
FROM waiting.rf2_concept c LEFT JOIN waiting.rf2_description d ON d.concept = c.id AND d.active
ORDER BY c.id, d.id
"""  # noqa: S608 — constants of this module
_LINKS = """
SELECT DISTINCT r.source, r.destination, r.type, min(r.id) FROM waiting.rf2_relationship r WHERE r.active
GROUP BY r.source, r.type, r.destination ORDER BY r.source, min(r.id)
"""


def load(request: LoadRequest) -> None:
    """Loads a release. Raises SourceFault for what is wrong with its files, or missing of them."""
    sources = request.sources
    concepts = sources.required(r"x?sct2_Concept_Snapshot_.*\.txt", "sct2_Concept_Snapshot_INT_20260101.txt")
    descriptions = sources.required(
        r"x?sct2_Description_Snapshot.*\.txt", "sct2_Description_Snapshot-en_INT_20260101.txt"
    )
    relationships = sources.required(
        r"x?sct2_Relationship_Snapshot_.*\.txt", "sct2_Relationship_Snapshot_INT_20260101.txt"
    )
    languages = sources.matching(r"x?der2_cRefset_LanguageSnapshot.*\.txt")
    refsets = sources.matching(r"x?der2_Refset_\w*Snapshot_.*\.txt")
    version = request.version or _version_of(concepts[-1])
    with CompiledBuilder(request.directory) as builder:
        builder.stage(_STAGES)
        _stage(builder, sources, "rf2_concept", concepts, ("definitionStatusId",), _concept)
        _stage(
            builder, sources, "rf2_description", descriptions, ("conceptId", "languageCode", "typeId", "term"), _description
        )
        _stage(
            builder,
            sources,
            "rf2_relationship",
            relationships,
            ("sourceId", "destinationId", "typeId", "characteristicTypeId"),
            _relationship,
        )
        _stage(
            builder, sources, "rf2_language", languages, ("refsetId", "referencedComponentId", "acceptabilityId"), _language
        )
        _stage(builder, sources, "rf2_member", refsets, ("refsetId", "referencedComponentId"), _member)
        builder.run("CREATE INDEX waiting.description_of ON rf2_description (concept)")
        is_translated = _add_concepts(builder, request.language)
        properties = _add_links(builder)
        for refset, concept in builder.run("SELECT refset, concept FROM waiting.rf2_member WHERE active"):
            builder.add_member(str(refset), str(concept))
        header = Header(
            SYSTEM,
            version,
            "snomed",
            name="SNOMED_CT",
            language=request.language if is_translated else "en",
            copyright=request.licence,
            property_types={"moduleId": "code", "sufficientlyDefined": "boolean", **dict.fromkeys(properties, "code")},
            sources=tuple(sources.read),
        )
        finished = builder.finish(header)
    request.on_loaded(finished)


def _version_of(file: SourceFile) -> str:
    found = re.search(r"_([A-Z]{2,3}\d*)_(\d{8})\.txt$", file.path.name, re.IGNORECASE)
    module = MODULES.get(found[1].upper()) if found else None
    if not found or module is None:
        raise SourceFault(
            file.name,
            f"the edition is not known; give `--version {SYSTEM}/<module>/version/<YYYYMMDD>`.",
            f"l’édition n’est pas connue ; donnez `--version {SYSTEM}/<module>/version/<AAAAMMJJ>`.",
        )
    return f"{SYSTEM}/{module}/version/{found[2]}"


def _stage(
    builder: CompiledBuilder,
    sources: Sources,
    table: str,
    files: list[SourceFile],
    columns: tuple[str, ...],
    values: Callable[[Row], tuple[int | str, ...] | None],
) -> None:
    """Puts the rows of the files into a table of their own; `values` returns None for a row that does not matter."""
    statement = f"INSERT INTO waiting.{table} VALUES {_INSERTS[table]}"  # noqa: S608 — names of this module
    for file in files:
        rows = (found for row in tab_rows(sources, file, (*_COMMON, *columns)) if (found := values(row)) is not None)
        builder.run(statement, rows)


def _number(row: Row, column: str) -> int:
    text = row[column]
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise row.fault(
            column, f"`{column}` is a number of at most 18 digits, not `{text}`.", f"`{column}` est un nombre d’au plus 18 chiffres, pas `{text}`."
        )
    return int(text)


def _active(row: Row) -> int:
    if row["active"] not in ("0", "1"):
        raise row.fault(
            "active", f"`active` is 0 or 1, not `{row['active']}`.", f"`active` vaut 0 ou 1, pas `{row['active']}`."
        )
    return int(row["active"])


def _head(row: Row) -> tuple[int, int, int]:
    return _number(row, "id"), _number(row, "effectiveTime"), _active(row)


def _concept(row: Row) -> tuple[int | str, ...]:
    return *_head(row), _number(row, "moduleId"), int(_number(row, "definitionStatusId") == _DEFINED)


def _description(row: Row) -> tuple[int | str, ...]:
    return (
        *_head(row),
        _number(row, "conceptId"),
        row["languageCode"],
        _number(row, "typeId"),
        row.required("term"),
    )


def _relationship(row: Row) -> tuple[int | str, ...] | None:
    if _number(row, "characteristicTypeId") != _INFERRED:
        return None
    return *_head(row), _number(row, "sourceId"), _number(row, "destinationId"), _number(row, "typeId")


def _language(row: Row) -> tuple[int | str, ...]:
    component, acceptability = _number(row, "referencedComponentId"), _number(row, "acceptabilityId")
    return _number(row, "refsetId"), component, _number(row, "effectiveTime"), _active(row), acceptability


def _member(row: Row) -> tuple[int | str, ...]:
    return _number(row, "refsetId"), _number(row, "referencedComponentId"), _number(row, "effectiveTime"), _active(row)


def _add_concepts(builder: CompiledBuilder, language: str) -> bool:
    """Adds the concepts with their terms; returns whether there is a preferred term in the language."""
    is_translated = False
    rows: Iterator[tuple[int, int, int, int, str, int, str, int | None]] = iter(builder.run(_TERMS))
    for _, group in groupby(rows, itemgetter(0)):
        terms = list(group)
        id_, active, module, defined = terms[0][:4]
        code = str(id_)
        named = [(lang, str(kind), term, rank or 0) for *_, lang, kind, term, rank in terms if term is not None]
        display, is_in_language = _display(named, language)
        is_translated = is_translated or is_in_language
        builder.add_concept(code, display, active=bool(active))
        builder.add_property(code, "moduleId", str(module), "code")
        builder.add_property(code, "sufficientlyDefined", "true" if defined else "false", "boolean")
        for lang, kind, term, rank in named:
            use = PREFERRED if rank and kind == SYNONYM else f"{SYSTEM}|{kind}"
            builder.add_designation(code, term, language=lang, use=use)
    return is_translated


def _display(terms: list[tuple[str, str, str, int]], language: str) -> tuple[str, bool]:
    """Returns the display, and whether it is the preferred term in the language."""
    preferred = [(rank, lang, term) for lang, kind, term, rank in terms if rank and kind == SYNONYM]
    for wanted in (language, "en"):
        found = [(rank, term) for rank, lang, term in preferred if lang.partition("-")[0] == wanted]
        if found:
            return max(found, key=itemgetter(0))[1], wanted == language
    by_kind = {kind: term for _, kind, term, _ in reversed(terms)}
    return by_kind.get(FULLY_SPECIFIED) or by_kind.get(SYNONYM, ""), False


def _add_links(builder: CompiledBuilder) -> list[str]:
    """Adds the hierarchy and the attributes; returns which attributes there are."""
    attributes: dict[str, None] = {}
    for source, destination, kind, _ in builder.run(_LINKS):
        if str(kind) == IS_A:
            builder.add_parent(str(source), str(destination))
        else:
            attributes[str(kind)] = None
            builder.add_property(str(source), str(kind), str(destination), "code")
    return list(attributes)
