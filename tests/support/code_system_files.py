"""Small invented code systems in the official layouts of LOINC, SNOMED CT and ClaML."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

IS_A, FSN, SYNONYM = "116680003", "900000000000003001", "900000000000013009"
INFERRED, STATED = "900000000000011006", "900000000000010007"
PREFERRED, ACCEPTABLE = "900000000000548007", "900000000000549004"
US_ENGLISH, FRENCH = "900000000000509007", "10031000315102"
MODULE = "900000000000207008"
PRIMITIVE, DEFINED = "900000000000074008", "900000000000073002"

CONCEPT = ["id", "effectiveTime", "active", "moduleId", "definitionStatusId"]
DESCRIPTION = [
    "id",
    "effectiveTime",
    "active",
    "moduleId",
    "conceptId",
    "languageCode",
    "typeId",
    "term",
    "caseSignificanceId",
]
RELATIONSHIP = [
    *("id", "effectiveTime", "active", "moduleId", "sourceId", "destinationId", "relationshipGroup", "typeId"),
    *("characteristicTypeId", "modifierId"),
]
LANGUAGE = ["id", "effectiveTime", "active", "moduleId", "refsetId", "referencedComponentId", "acceptabilityId"]
REFSET = ["id", "effectiveTime", "active", "moduleId", "refsetId", "referencedComponentId"]


def write_tabs(path: Path, columns: list[str], rows: Iterable[Iterable[object]]) -> None:
    """Writes a release file of RF2: tabs, lines ended by CR LF."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        for row in (columns, *rows):
            file.write("\t".join(map(str, row)) + "\r\n")


def snomed_release(folder: Path) -> Path:
    """Writes a release: 10 is above 11, 12, 14 and the inactive 15; 11 and 12 are above 13, whose site is 14.

    11 and 13 have French names and are in the reference set 900.
    """
    terminology, refset = folder / "Snapshot" / "Terminology", folder / "Snapshot" / "Refset"
    head = ("20260101", "1", MODULE)
    concepts = [(id_, *head, DEFINED if id_ == 13 else PRIMITIVE) for id_ in (10, 11, 12, 13, 14, 900)]
    write_tabs(
        terminology / "sct2_Concept_Snapshot_INT_20260101.txt",
        CONCEPT,
        [*concepts, (15, "20260101", "0", MODULE, PRIMITIVE)],
    )
    english = [
        (101, 10, FSN, "Invented root (finding)"), (102, 10, SYNONYM, "Root"),
        (111, 11, FSN, "Invented wound (finding)"), (112, 11, SYNONYM, "Wound"), (113, 11, SYNONYM, "Cut"),
        (121, 12, FSN, "Invented burn (finding)"), (122, 12, SYNONYM, "Burn"),
        (131, 13, FSN, "Invented burn wound (finding)"), (132, 13, SYNONYM, "Burn wound"),
        (141, 14, FSN, "Invented site (body structure)"), (151, 15, FSN, "Invented, retired (finding)"),
        (901, 900, FSN, "Invented reference set (foundation metadata concept)"),
    ]  # fmt: skip
    french = [(211, 11, SYNONYM, "Plaie"), (231, 13, SYNONYM, "Plaie par brûlure")]
    for language, rows in (("en", english), ("fr", french)):
        write_tabs(
            terminology / f"sct2_Description_Snapshot-{language}_INT_20260101.txt",
            DESCRIPTION,
            [(id_, *head, concept, language, kind, term, "900000000000448009") for id_, concept, kind, term in rows],
        )
    links = [
        (11, 10, IS_A),
        (12, 10, IS_A),
        (13, 11, IS_A),
        (13, 12, IS_A),
        (14, 10, IS_A),
        (13, 14, "363698007"),
        (15, 10, IS_A),
    ]
    inferred = [
        (300 + n, *head, source, target, 0, kind, INFERRED, "900000000000451002")
        for n, (source, target, kind) in enumerate(links)
    ]
    gone = (350, "20260101", "0", MODULE, 12, 11, 0, IS_A, INFERRED, "900000000000451002")
    stated = (351, *head, 14, 13, 0, IS_A, STATED, "900000000000451002")
    write_tabs(terminology / "sct2_Relationship_Snapshot_INT_20260101.txt", RELATIONSHIP, [*inferred, gone, stated])
    preferred = [(US_ENGLISH, id_, PREFERRED) for id_ in (102, 112, 122, 132, 101, 111)]
    preferred += [(US_ENGLISH, 113, ACCEPTABLE), (FRENCH, 211, PREFERRED), (FRENCH, 231, PREFERRED)]
    write_tabs(
        refset / "Language" / "der2_cRefset_LanguageSnapshot-en_INT_20260101.txt",
        LANGUAGE,
        [(f"l{n}", *head, *row) for n, row in enumerate(preferred)],
    )
    members = [("m1", *head, 900, 11), ("m2", *head, 900, 13), ("m3", "20260101", "0", MODULE, 900, 12)]
    write_tabs(refset / "Content" / "der2_Refset_SimpleSnapshot_INT_20260101.txt", REFSET, members)
    return folder


def loinc_release(folder: Path) -> Path:
    """Writes a release: 1111-1 and 2222-2 below the part LP10, which is below LP1; 3333-3 is deprecated."""
    table = folder / "LoincTable" / "Loinc.csv"
    table.parent.mkdir(parents=True)
    columns = (
        "LOINC_NUM COMPONENT PROPERTY TIME_ASPCT SYSTEM SCALE_TYP METHOD_TYP CLASS VersionLastChanged STATUS SHORTNAME"
        " LONG_COMMON_NAME EXTERNAL_COPYRIGHT_NOTICE"
    )
    serum = ("1111-1", "Inventol", "MCnc", "Pt", "Ser/Plas", "Qn", "", "CHEM", "2.9", "ACTIVE", "Inventol SerPl")
    urine = ("2222-2", "Inventol", "MRat", "24H", "Urine", "Qn", "", "CHEM", "2.80", "ACTIVE", "")
    survey = ("3333-3", "Fictin", "Prid", "Pt", "^Patient", "Nom", "", "SURVEY", "2.70", "DEPRECATED", "")
    rows = [
        (*serum, "Inventol [Mass/volume]", ""),
        (*urine, 'Inventol "free", 24 hour', ""),
        (*survey, "Fictin, old", "Copyright of another owner"),
    ]
    _write_commas(table, columns.split(), rows)
    extra = folder / "AccessoryFiles"
    _write_commas(
        extra / "ComponentHierarchyBySystem" / "ComponentHierarchyBySystem.csv",
        ("PATH_TO_ROOT", "SEQUENCE", "IMMEDIATE_PARENT", "CODE", "CODE_TEXT"),
        [
            ("", "1", "", "LP1", "Root part"),
            ("LP1", "2", "LP1", "LP10", "Inventol part"),
            ("LP1.LP10", "3", "LP10", "1111-1", "Inventol"),
            ("LP1.LP10", "4", "LP10", "2222-2", "Inventol"),
        ],
    )
    _write_commas(
        extra / "AnswerFile" / "AnswerList.csv",
        ("AnswerListId", "AnswerListName", "AnswerStringId", "DisplayText"),
        [("LL1-1", "Answers", "LA1-1", "Never"), ("LL1-1", "Answers", "LA2-2", "Often"), ("LL2-2", "Empty", "", "")],
    )
    _write_commas(
        extra / "PartFile" / "Part.csv",
        ("PartNumber", "PartTypeName", "PartName", "PartDisplayName", "Status"),
        [("LP10", "COMPONENT", "inventol", "Inventol, the part", "ACTIVE")],
    )
    _write_commas(
        extra / "LinguisticVariants" / "frFR18LinguisticVariant.csv",
        ("LOINC_NUM", "COMPONENT", "LONG_COMMON_NAME", "LinguisticVariantDisplayName"),
        [
            ("1111-1", "Inventol", "", "Inventol [Masse/volume] ; sérum"),
            ("2222-2", "Inventol", "Inventol urinaire", ""),
        ],
    )
    return folder


def _write_commas(path: Path, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [",".join('"' + value.replace('"', '""') + '"' for value in row) for row in (columns, *rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


CLAML = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE ClaML SYSTEM "ClaML.dtd">
<ClaML version="2.0.0">
  <Meta name="lang" value="fr"/>
  <Title date="2026-01-01" name="CIM-inventée" version="2026">Classification inventée</Title>
  <Modifier code="M4"><SubClass code=".0"/><SubClass code=".1"/></Modifier>
  <ModifierClass modifier="M4" code=".0"><SuperClass code="M4"/>
    <Rubric kind="preferred"><Label xml:lang="fr">aiguë</Label></Rubric></ModifierClass>
  <ModifierClass modifier="M4" code=".1"><SuperClass code="M4"/>
    <Rubric kind="preferred"><Label xml:lang="fr">chronique</Label></Rubric></ModifierClass>
  <ModifierClass modifier="M5" code="7"><SuperClass code="M5"/>
    <Rubric kind="preferred"><Label xml:lang="fr">au travail</Label></Rubric></ModifierClass>
  <Class code="XX" kind="chapter"><SubClass code="X00-X09"/>
    <Rubric kind="preferred"><Label xml:lang="fr">Chapitre inventé</Label></Rubric></Class>
  <Class code="X00-X09" kind="block"><SuperClass code="XX"/>
    <Rubric kind="preferred"><Label xml:lang="fr">Bloc inventé</Label></Rubric></Class>
  <Class code="X00" kind="category"><SuperClass code="X00-X09"/>
    <ModifiedBy code="M4" all="true"/><ModifiedBy code="M5" all="true"/>
    <Rubric kind="preferred"><Label xml:lang="fr">Mal <Term class="italics">inventé</Term></Label></Rubric>
    <Rubric kind="inclusion"><Label xml:lang="fr">Mal imaginaire</Label></Rubric>
    <Rubric kind="exclusion"><Label xml:lang="fr">mal réel</Label></Rubric></Class>
  <Class code="X01" kind="category"><SuperClass code="X00-X09"/>
    <ModifiedBy code="M4" all="false"><ValidModifierClass code=".1"/></ModifiedBy>
    <Rubric kind="preferred"><Label xml:lang="fr">Autre mal</Label></Rubric></Class>
  <Class code="X01.1" kind="category"><SuperClass code="X01"/>
    <Rubric kind="preferred"><Label xml:lang="fr">Autre mal, au long cours</Label></Rubric></Class>
</ClaML>
"""
