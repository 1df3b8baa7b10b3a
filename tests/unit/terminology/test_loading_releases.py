"""LOINC, SNOMED CT, CIM-10 and FHIR sources: what is loaded, and what is said of bad ones. All codes are invented."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fhir_server.cli import terminology
from fhir_server.conformance import DefinitionRegistry
from fhir_server.terminology import CodeSystemProvider, Terminology
from fhir_server.terminology.code_systems import Filter, UnknownFilter
from fhir_server.terminology.compiled import CompiledLibrary, CompiledSource
from tests.support.code_system_files import CLAML, IS_A, loinc_release, snomed_release

SNOMED, LOINC, CIM10 = "http://snomed.info/sct", "http://loinc.org", "https://smt.esante.gouv.fr/terminologie-cim-10"
INTERNATIONAL = f"{SNOMED}/900000000000207008/version/20260101"


def load(data_dir: Path, kind: str, *arguments: str | Path) -> int:
    return terminology.main(["load", kind, *map(str, arguments), "--data-dir", str(data_dir)])


def terminology_of(data_dir: Path) -> Terminology:
    return Terminology(DefinitionRegistry(), [CompiledSource(CompiledLibrary(data_dir / "terminology"))])


def system(data_dir: Path, url: str) -> CodeSystemProvider:
    found = terminology_of(data_dir).code_system(url)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a release of each kind is loaded."""
    folder = tmp_path_factory.mktemp("data")
    sources = tmp_path_factory.mktemp("sources")
    snomed = snomed_release(sources / "snomed")
    archive = shutil.make_archive(str(sources / "snomed"), "zip", snomed)
    (sources / "cim.xml").write_text(CLAML, encoding="utf-8")
    assert load(folder, "snomed", archive) == 0
    assert load(folder, "loinc", loinc_release(sources / "Loinc_9.99")) == 0
    assert load(folder, "cim10", sources / "cim.xml") == 0
    return folder


def test_loaded_systems_are_told(data_dir: Path) -> None:
    source = CompiledSource(CompiledLibrary(data_dir / "terminology"))
    assert set(source.known_code_systems()) == {(SNOMED, INTERNATIONAL), (LOINC, "9.99"), (CIM10, "2026")}


def test_snomed_ct_has_names_hierarchy_and_attributes(data_dir: Path) -> None:
    provider = system(data_dir, SNOMED)
    assert (provider.version, provider.total, provider.language) == (INTERNATIONAL, 7, "fr")
    burn_wound, cut = provider.concept("13"), provider.concept("11")
    assert burn_wound is not None
    assert cut is not None
    assert burn_wound.display == "Plaie par brûlure"
    assert {(each.value, each.language, (each.use or {}).get("code")) for each in cut.designations} == {
        ("Invented wound (finding)", "en", "900000000000003001"),
        ("Wound", "en", "preferredForLanguage"),
        ("Cut", "en", "900000000000013009"),
        ("Plaie", "fr", "preferredForLanguage"),
    }
    displays = {code: (provider.concept(code) or burn_wound).display for code in ("10", "12", "14", "15")}
    assert displays == {
        "10": "Root",
        "12": "Burn",
        "14": "Invented site (body structure)",
        "15": "Invented, retired (finding)",
    }
    assert sorted(provider.parents("13")) == ["11", "12"]
    assert {name: [value.value for value in values] for name, values in burn_wound.properties.items()} == {
        "moduleId": ["900000000000207008"],
        "sufficientlyDefined": [True],
        "363698007": ["14"],
    }
    retired = provider.concept("15")
    assert retired is not None
    assert retired.is_inactive


def test_loinc_has_axes_hierarchy_answers_and_translations(data_dir: Path) -> None:
    provider = system(data_dir, LOINC)
    assert (provider.version, provider.language) == ("9.99", "en")
    concept = provider.concept("1111-1")
    assert concept is not None
    assert concept.display == "Inventol [Mass/volume]"
    assert [value.text for value in concept.properties["SYSTEM"]] == ["Ser/Plas"]
    assert ("Inventol [Masse/volume] ; sérum", "fr-FR") in [(each.value, each.language) for each in concept.designations]
    assert set(provider.ancestors("1111-1")) == {"LP10", "LP1"}
    part, deprecated, often = provider.concept("LP10"), provider.concept("3333-3"), provider.concept("LA2-2")
    assert part is not None
    assert deprecated is not None
    assert often is not None
    assert (part.display, deprecated.is_inactive, often.display) == ("Inventol, the part", True, "Often")


def test_cim10_has_blocks_inclusions_and_what_modifiers_make(data_dir: Path) -> None:
    provider = system(data_dir, CIM10)
    assert (provider.version, provider.name, provider.language) == ("2026", "CIM-inventée", "fr")
    assert list(provider.select()) == ["XX", "X00-X09", "X00", "X01", "X01.1", "X00.0", "X00.1", "X00.07", "X00.17"]
    category, made = provider.concept("X00"), provider.concept("X00.07")
    assert category is not None
    assert made is not None
    assert (category.display, [each.value for each in category.designations]) == ("Mal inventé", ["Mal imaginaire"])
    assert made.display == "Mal inventé : aiguë : au travail"
    assert set(provider.ancestors("X00.07")) == {"X00.0", "X00", "X00-X09", "XX"}


@pytest.mark.parametrize(
    ("url", "filters", "expected"),
    [
        (SNOMED, [("concept", "is-a", "11")], ["11", "13"]),
        (SNOMED, [("concept", "descendent-of", "10")], ["11", "12", "13", "14", "15"]),
        (SNOMED, [("concept", "child-of", "10")], ["11", "12", "14", "15"]),
        (SNOMED, [("concept", "generalizes", "13")], ["10", "11", "12", "13"]),
        (SNOMED, [("concept", "is-not-a", "10")], ["900"]),
        (SNOMED, [("concept", "is-a", "unknown")], []),
        (SNOMED, [("concept", "in", "900")], ["11", "13"]),
        (SNOMED, [("concept", "in", "10, 12,99")], ["10", "12"]),
        (SNOMED, [("363698007", "=", "14")], ["13"]),
        (SNOMED, [("363698007", "exists", "false"), ("concept", "is-a", "11")], ["11"]),
        (SNOMED, [("inactive", "=", "true")], ["15"]),
        (SNOMED, [("parent", "=", "12")], ["13"]),
        (SNOMED, [("child", "=", "13")], ["11", "12"]),
        (SNOMED, [("sufficientlyDefined", "=", "true")], ["13"]),
        (SNOMED, [("expressions", "=", "false"), ("concept", "is-a", "12")], ["12", "13"]),
        (LOINC, [("ancestor", "=", "LP1")], ["1111-1", "2222-2", "LP10"]),
        (LOINC, [("LIST", "=", "LL1-1")], ["LA1-1", "LA2-2"]),
        (LOINC, [("LIST", "=", "LL9-9")], []),
        (LOINC, [("copyright", "=", "3rdParty")], ["3333-3"]),
        (LOINC, [("copyright", "=", "LOINC"), ("CLASS", "exists", "true")], ["1111-1", "2222-2"]),
        (LOINC, [("SYSTEM", "regex", "Ser.*|Urine")], ["1111-1", "2222-2"]),
        (LOINC, [("CLASS", "not-in", "CHEM,SURVEY")], ["LP10", "LL1-1", "LA1-1", "LA2-2", "LL2-2", "LP1"]),
        (LOINC, [("COMPONENT", "=", "Inventol"), ("TIME_ASPCT", "=", "24H")], ["2222-2"]),
        (CIM10, [("kind", "=", "block")], ["X00-X09"]),
        (CIM10, [("display", "regex", "Autre.*")], ["X01", "X01.1"]),
        (CIM10, [("code", "regex", "X0[01]")], ["X00", "X01"]),
    ],
)
def test_filters_list_and_test_alike(
    data_dir: Path, url: str, filters: list[tuple[str, str, str]], expected: list[str]
) -> None:
    rows = [{"property": name, "op": operator, "value": value} for name, operator, value in filters]
    value_set = {
        "resourceType": "ValueSet",
        "url": "https://example.org/vs",
        "compose": {"include": [{"system": url, "filter": rows}]},
    }
    registry = DefinitionRegistry()
    registry.add(value_set)
    whole = Terminology(registry, [CompiledSource(CompiledLibrary(data_dir / "terminology"))])
    provider = whole.code_system(url)
    assert provider is not None
    found = whole.codes("https://example.org/vs")
    assert found is not None
    assert list(found.in_system(url)) == expected
    tested = [code for code in provider.select() if whole.has_code("https://example.org/vs", url, code)]
    assert tested == expected


@pytest.mark.parametrize(
    ("url", "filter_"),
    [
        (SNOMED, ("constraint", "=", "<< 11")),
        (LOINC, ("copyright", "=", "nobody")),
        (CIM10, ("code", "regex", "(")),
        (CIM10, ("code", "like", "X")),
    ],
)
def test_a_filter_that_cannot_be_evaluated_is_refused(data_dir: Path, url: str, filter_: tuple[str, str, str]) -> None:
    with pytest.raises(UnknownFilter):
        list(system(data_dir, url).select([Filter(*filter_)]))
    with pytest.raises(UnknownFilter):
        system(data_dir, url).matcher([Filter(*filter_)])


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"{SNOMED}?fhir_vs", {"10", "11", "12", "13", "14", "15", "900"}),
        (f"{SNOMED}?fhir_vs=isa/12", {"12", "13"}),
        (f"{SNOMED}?fhir_vs=refset/900", {"11", "13"}),
        (f"{SNOMED}?fhir_vs=refset", {"900"}),
        (f"{SNOMED}/900000000000207008?fhir_vs=isa/13", {"13"}),
        (f"{INTERNATIONAL}?fhir_vs=isa/13", {"13"}),
        (f"{SNOMED}/11000315107?fhir_vs", None),
        (f"{SNOMED}?fhir_vs=refset/11", None),
        (f"{SNOMED}?fhir_vs=ecl/<<11", None),
        (f"{SNOMED}?fhir_vs=isa", None),
        (f"{LOINC}/vs/LL1-1", {"LA1-1", "LA2-2"}),
        (f"{LOINC}/vs/LP10", {"LP10", "1111-1", "2222-2"}),
        (f"{LOINC}/vs/LL9-9", None),
        (f"{LOINC}/vs/LA1-1", None),
    ],
)
def test_implicit_value_sets(data_dir: Path, url: str, expected: set[str] | None) -> None:
    found = terminology_of(data_dir).codes(url)
    assert (None if found is None else set(found.codes)) == expected


def test_all_of_loinc_is_a_value_set(data_dir: Path) -> None:
    found = terminology_of(data_dir).codes(f"{LOINC}/vs")
    assert found is not None
    assert len(found) == system(data_dir, LOINC).total


@pytest.mark.parametrize(
    ("url", "words", "expected"),
    [
        (SNOMED, ["plaie", "brul"], ["13"]),
        (SNOMED, ["cut"], ["11"]),
        (LOINC, ["inventol", "24"], ["2222-2"]),
        (LOINC, ["1111"], ["1111-1"]),
        (CIM10, ["imaginaire"], ["X00"]),
        (CIM10, ["reel"], []),
    ],
)
def test_texts_are_found_by_folded_words(data_dir: Path, url: str, words: list[str], expected: list[str]) -> None:
    assert list(system(data_dir, url).select(words=words)) == expected


def test_a_supplement_adds_names_that_are_found(data_dir: Path) -> None:
    supplement = {
        "url": "https://example.org/supplement",
        "content": "supplement",
        "supplements": SNOMED,
        "concept": [{"code": "12", "designation": [{"language": "fr", "value": "Brûlure"}]}, {"code": "99"}],
    }
    provider = system(data_dir, SNOMED).supplemented([supplement])
    assert list(provider.select(words=["brulure"])) == ["12", "13"]
    concept = provider.concept("12")
    assert concept is not None
    assert [each.value for each in concept.designations if each.source] == ["Brûlure"]


@pytest.mark.parametrize("code", ["10", "11", "12", "13", "14", "15", "900"])
def test_subsumption_agrees_with_ancestors(data_dir: Path, code: str) -> None:
    provider = system(data_dir, SNOMED)
    above = {each for each in provider.select() if provider.subsumes(each, code)}
    assert above == {code, *provider.ancestors(code)}
    assert {each for each in provider.select() if code in provider.ancestors(each)} == set(provider.descendants(code))


def test_letter_case_counts_where_the_system_says_so(data_dir: Path) -> None:
    assert system(data_dir, LOINC).find("lp10") == "LP10"
    assert system(data_dir, CIM10).find("x00") is None


def test_an_extension_joins_what_it_extends(tmp_path: Path) -> None:
    base, extension = snomed_release(tmp_path / "base"), tmp_path / "extension"
    for path in sorted(base.rglob("*.txt")):
        target = extension / path.relative_to(base).parent / path.name.replace("INT_20260101", "FR1000315_20260601")
        target.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        # The extension repeats one row of each file, newer: concept 10 among them, which it retires.
        row = lines[1].replace("20260101\t1", "20260601\t0")
        target.write_text(lines[0] + row, encoding="utf-8")
    assert load(tmp_path, "snomed", base, extension) == 0
    provider = system(tmp_path, SNOMED)
    assert provider.version == f"{SNOMED}/11000315107/version/20260601"
    root = provider.concept("10")
    assert root is not None
    assert root.is_inactive
    assert provider.total == 7
    assert list(provider.parents("11")) == []
    assert terminology_of(tmp_path).codes(f"{SNOMED}/11000315107?fhir_vs=isa/13") is not None


def changed(pattern: str, old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (path,) = folder.rglob(pattern)
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return change


def removed(pattern: str) -> Callable[[Path], None]:
    def remove(folder: Path) -> None:
        (path,) = folder.rglob(pattern)
        path.unlink()

    return remove


@pytest.mark.parametrize(
    ("kind", "fault", "sentence"),
    [
        ("snomed", removed("sct2_Concept*"), "there is no file like `sct2_Concept_Snapshot_INT_20260101.txt` here"),
        ("snomed", changed("sct2_Concept*", "\t1\t", "\tyes\t"), "line 2, column 3: `active` is 0 or 1, not `yes`"),
        ("snomed", changed("sct2_Rel*", IS_A, "isa"), "column 8: `typeId` is a number of at most 18 digits, not `isa`"),
        ("snomed", changed("sct2_Desc*-en*", "\tterm\t", "\ttext\t"), "line 1: the first line lacks the columns `term`"),
        ("snomed", changed("sct2_Desc*-fr*", "\tPlaie", "\t"), "line 2, column 8: `term` is empty"),
        ("loinc", removed("Loinc.csv"), "there is no file like `LoincTable/Loinc.csv` here"),
        ("loinc", changed("Loinc.csv", "1111-1", "1111"), "line 2, column 1: `1111` is no LOINC number"),
        ("loinc", changed("Loinc.csv", "2222-2", "1111-1"), "line 3, column 1: `1111-1` is there twice"),
        ("loinc", changed("AnswerList.csv", "DisplayText", "Text"), "lacks the columns `DisplayText`"),
        ("cim10", changed("cim.xml", "</Modifier>", ""), "the XML is broken: mismatched tag"),
        ("cim10", changed("cim.xml", '<Class code="XX"', "<Class"), "line 13, column 3: `Class` has no `code`"),
        ("cim10", changed("cim.xml", '"X01.1"', '"X01"'), "the class `X01` is there twice"),
        ("cim10", changed("cim.xml", 'SuperClass code="XX"', 'SuperClass code="YY"'), "`YY`, the `SuperClass` of `X00-X09`"),
        ("cim10", changed("cim.xml", "CIM-inventée\" version=\"2026\"", "\""), "there is no"),
        ("cim10", changed("cim.xml", 'SYSTEM "ClaML.dtd"', '[<!ENTITY a "b">]'), "entities are not declared"),
        ("cim10", changed("cim.xml", "Bloc inventé", ""), "the class `X00-X09` has no rubric `preferred`"),
    ],
)  # fmt: skip
def test_a_bad_release_is_refused_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, fault: Callable[[Path], None], sentence: str
) -> None:
    source = tmp_path / "source"
    if kind == "cim10":
        source.mkdir()
        (source / "cim.xml").write_text(CLAML, encoding="utf-8")
        if sentence == "there is no":
            (source / "cim.xml").write_text("<ClaML/>", encoding="utf-8")
        else:
            fault(source)
    else:
        {"snomed": snomed_release, "loinc": loinc_release}[kind](source)
        fault(source)
    assert load(tmp_path, kind, source, *(["--version", "9.99"] if kind == "loinc" else [])) == 2
    assert sentence in capsys.readouterr().err
    directory = tmp_path / "terminology"
    assert not directory.exists() or list(directory.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("snomed", f"the edition is not known; give `--version {SNOMED}/<module>/version/<YYYYMMDD>`"),
        ("loinc", "the release does not say its version; give `--version`"),
        ("cim10", "`Title` has neither `version` nor `date`; give `--version`"),
    ],
)
def test_a_version_that_nobody_tells_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, sentence: str
) -> None:
    source = tmp_path / "source"
    if kind == "snomed":
        (snomed_release(source) / "Snapshot/Terminology/sct2_Concept_Snapshot_INT_20260101.txt").rename(
            source / "sct2_Concept_Snapshot_XX_20260101.txt"
        )
    elif kind == "loinc":
        changed("Loinc.csv", "VersionLastChanged", "Version")(loinc_release(source))
    else:
        source.mkdir()
        text = CLAML.replace('date="2026-01-01" name="CIM-inventée" version="2026"', "")
        (source / "cim.xml").write_text(text, encoding="utf-8")
    assert load(tmp_path, kind, source) == 2
    assert sentence in capsys.readouterr().err
    assert load(tmp_path, kind, source, "--version", "mine") == 0
    assert "|mine (" in capsys.readouterr().out


CODE_SYSTEM: dict[str, Any] = {
    "resourceType": "CodeSystem",
    "url": "https://example.org/animals",
    "version": "3",
    "name": "Animals",
    "content": "complete",
    "property": [{"code": "legs", "type": "integer"}],
    "concept": [
        {
            "code": "animal",
            "concept": [
                {
                    "code": "dog",
                    "display": "Dog",
                    "property": [{"code": "legs", "valueInteger": 4}, {"code": "kin", "valueCoding": {"code": "wolf"}}],
                    "designation": [{"language": "fr", "use": {"code": "u"}, "value": "Chien"}],
                }
            ],
        },
        {
            "code": "pet",
            "property": [{"code": "child", "valueCode": "dog"}, {"code": "status", "valueCode": "retired"}],
        },
        {"code": "pup", "property": [{"code": "parent", "valueCode": "dog"}]},
    ],
}


def package(path: Path, *resources: dict[str, Any]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for number, resource in enumerate(({"name": "p"}, *resources)):
            name = f"package/{resource.get('resourceType')}-{number}.json" if number else "package/package.json"
            content = json.dumps(resource).encode()
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def test_a_package_of_code_systems_is_loaded(tmp_path: Path) -> None:
    other = {"resourceType": "CodeSystem", "url": "https://example.org/o", "content": "fragment", "concept": [{"code": "a"}]}
    absent = {"resourceType": "CodeSystem", "url": "https://example.org/n", "content": "not-present"}
    bundle = {"resourceType": "Bundle", "entry": [{"resource": other}, {"resource": absent}]}
    assert load(tmp_path, "fhir", package(tmp_path / "p.tgz", CODE_SYSTEM, {"resourceType": "ValueSet"}, bundle)) == 0
    provider = system(tmp_path, CODE_SYSTEM["url"])
    dog, pet = provider.concept("dog"), provider.concept("pet")
    assert dog is not None
    assert pet is not None
    assert (dog.parents, pet.is_inactive) == (["animal", "pet"], True)
    assert [value.value for value in dog.properties["legs"]] == [4]
    assert dog.properties["kin"][0] == ("valueCoding", {"code": "wolf"})
    assert dog.designations[0].use == {"code": "u"}
    assert set(provider.descendants("animal")) == {"dog", "pup"}
    assert provider.header["property"] == [{"code": "legs", "type": "integer"}]
    assert system(tmp_path, other["url"]).content == "fragment"  # type: ignore[arg-type]
    assert terminology_of(tmp_path).code_system("https://example.org/n") is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"resourceType": "CodeSystem",\n "url" "x"}', "line 2, column 8: the JSON is broken"),
        ('{"resourceType": "Patient"}', "no CodeSystem with codes"),
        ('{"resourceType": "CodeSystem", "content": "complete"}', "the CodeSystem has no `url`"),
        (json.dumps(CODE_SYSTEM | {"concept": [{"code": "a"}, {"code": "a"}]}), "has the code `a` twice"),
        (json.dumps(CODE_SYSTEM | {"concept": [{"display": "a"}]}), "is not a valid CodeSystem"),
        (
            json.dumps(CODE_SYSTEM | {"concept": [{"code": "a", "property": [{"code": "parent", "valueCode": "b"}]}]}),
            "`b`, the parent of `a`, is not a code",
        ),
    ],
)
def test_a_bad_resource_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, sentence: str) -> None:
    (tmp_path / "cs.json").write_text(text, encoding="utf-8")
    assert load(tmp_path, "fhir", tmp_path / "cs.json") == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("name", ["broken.zip", "broken.tgz"])
def test_a_broken_archive_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    (tmp_path / name).write_bytes(b"no archive")
    assert load(tmp_path, "loinc", tmp_path / name) == 2
    assert "this is not a readable" in capsys.readouterr().err


def test_without_a_path_the_folder_of_external_toml_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert load(tmp_path, "loinc") == 2
    assert str(tmp_path / "terminology" / "loinc") in capsys.readouterr().err
    loinc_release(tmp_path / "terminology" / "loinc" / "Loinc_9.99")
    assert load(tmp_path, "loinc") == 0
    assert "Regenstrief" in system(tmp_path, LOINC).header["copyright"]
