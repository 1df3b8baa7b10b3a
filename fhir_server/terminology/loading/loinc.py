"""LOINC from its release folder or archive. https://hl7.org/fhir/R4/loinc.html

`Loinc.csv` is needed; where they are there, the hierarchy of components by system (`ComponentHierarchyBySystem.csv`),
parts (`Part.csv`), answer lists (`AnswerList.csv`) and the linguistic variant of the language asked for are read too.
The display is the long common name, as LOINC's licence wants it; translations are designations.
"""

from __future__ import annotations

import re

from fhir_server.terminology.compiled import CompiledBuilder, DuplicateCode, Header
from fhir_server.terminology.loading.failures import SourceFault
from fhir_server.terminology.loading.request import LoadRequest
from fhir_server.terminology.loading.sources import SourceFile
from fhir_server.terminology.loading.tables import Row, comma_rows

SYSTEM = "http://loinc.org"
AXES = ("COMPONENT", "PROPERTY", "TIME_ASPCT", "SYSTEM", "SCALE_TYP", "METHOD_TYP", "CLASS")
_OTHERS = (
    *("CLASSTYPE", "STATUS", "ORDER_OBS", "PanelType", "VersionLastChanged", "EXAMPLE_UCUM_UNITS"),
    *("UNITSREQUIRED", "EXTERNAL_COPYRIGHT_NOTICE"),
)
_NAMES = ("SHORTNAME", "DisplayName", "CONSUMER_NAME")
_INACTIVE = frozenset({"DEPRECATED", "DISCOURAGED"})
_NUMBER = re.compile(r"\d{1,7}-\d", re.ASCII)


def load(request: LoadRequest) -> None:
    """Loads a release. Raises SourceFault for what is wrong with its files."""
    sources = request.sources
    (table, *_) = sources.required(r"Loinc\.csv", "LoincTable/Loinc.csv")
    version = request.version or _version_in(table.name)
    with CompiledBuilder(request.directory) as builder:
        latest = ""
        for row in comma_rows(sources, table, ["LOINC_NUM", *AXES, "STATUS", "LONG_COMMON_NAME"]):
            _add_term(builder, row)
            latest = max(latest, row.values.get("VersionLastChanged", ""), key=_as_number)
        if not (version := version or latest):
            raise SourceFault(
                table.name,
                "the release does not say its version; give `--version`, such as `2.80`.",
                "la livraison ne dit pas sa version ; donnez `--version`, par exemple `2.80`.",
            )
        for file in sources.matching(r"Part\.csv"):
            _add_parts(builder, request, file)
        for file in sources.matching(r"AnswerList\.csv"):
            _add_answers(builder, request, file)
        for file in sources.matching(r"ComponentHierarchyBySystem\.csv|MultiAxialHierarchy\.csv"):
            _add_hierarchy(builder, request, file)
        for file in sources.matching(rf"{re.escape(request.language)}[A-Z]{{2}}\d*LinguisticVariant\.csv"):
            _add_translations(builder, request, file)
        header = Header(
            SYSTEM,
            version,
            "loinc",
            name="LOINC",
            language="en",
            is_case_sensitive=False,
            copyright=request.licence,
            property_types=dict.fromkeys((*AXES, *_OTHERS), "string"),
            sources=tuple(sources.read),
        )
        finished = builder.finish(header)
    request.on_loaded(finished)


def _version_in(name: str) -> str:
    found = re.search(r"Loinc_(\d+\.\d+)", name, re.IGNORECASE)
    return found[1] if found else ""


def _as_number(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


def _add_term(builder: CompiledBuilder, row: Row) -> None:
    code = row.required("LOINC_NUM")
    if not _NUMBER.fullmatch(code):
        raise row.fault(
            "LOINC_NUM",
            f"`{code}` is no LOINC number: digits, a hyphen, a check digit.",
            f"`{code}` n’est pas un numéro LOINC : chiffres, tiret, chiffre de contrôle.",
        )
    try:
        builder.add_concept(
            code,
            row.required("LONG_COMMON_NAME"),
            active=row["STATUS"] not in _INACTIVE,
            definition=row.values.get("DefinitionDescription", ""),
        )
    except DuplicateCode:
        raise row.fault("LOINC_NUM", f"`{code}` is there twice.", f"`{code}` y est deux fois.") from None
    for name in (*AXES, *_OTHERS):
        if value := row.values.get(name):
            builder.add_property(code, name, value)
    for name in _NAMES:
        if value := row.values.get(name):
            builder.add_designation(code, value, language="en", use=f"{SYSTEM}|{name}")


def _add_parts(builder: CompiledBuilder, request: LoadRequest, file: SourceFile) -> None:
    for row in comma_rows(request.sources, file, ["PartNumber", "PartName", "Status"]):
        name = row.values.get("PartDisplayName") or row["PartName"]
        _add_once(builder, row.required("PartNumber"), name, is_active=row["Status"] not in _INACTIVE)


def _add_answers(builder: CompiledBuilder, request: LoadRequest, file: SourceFile) -> None:
    for row in comma_rows(request.sources, file, ["AnswerListId", "AnswerListName", "AnswerStringId", "DisplayText"]):
        name = row.required("AnswerListId")
        _add_once(builder, name, row["AnswerListName"])
        if answer := row["AnswerStringId"]:
            _add_once(builder, answer, row["DisplayText"])
            builder.add_member(name, answer)


def _add_hierarchy(builder: CompiledBuilder, request: LoadRequest, file: SourceFile) -> None:
    for row in comma_rows(request.sources, file, ["IMMEDIATE_PARENT", "CODE", "CODE_TEXT"]):
        code = row.required("CODE")
        if code.startswith("LP"):
            _add_once(builder, code, row["CODE_TEXT"])
        if parent := row["IMMEDIATE_PARENT"]:
            builder.add_parent(code, parent, row.line)


def _add_once(builder: CompiledBuilder, code: str, display: str, *, is_active: bool = True) -> None:
    try:
        builder.add_concept(code, display, active=is_active)
    except DuplicateCode:
        return


def _add_translations(builder: CompiledBuilder, request: LoadRequest, file: SourceFile) -> None:
    country = re.match(r"[a-z]{2}([A-Z]{2})", file.path.name)
    language = f"{request.language}-{country[1]}" if country else request.language
    for row in comma_rows(request.sources, file, ["LOINC_NUM"]):
        for name in ("LinguisticVariantDisplayName", "LONG_COMMON_NAME", "SHORTNAME"):
            if value := row.values.get(name):
                use = "" if name == "LinguisticVariantDisplayName" else f"{SYSTEM}|{name}"
                builder.add_designation(row["LOINC_NUM"], value, language=language, use=use)
