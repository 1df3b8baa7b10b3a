"""Compiled packages: read once, only what is asked for, and no instances."""

from __future__ import annotations

import os
import shutil
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fhir_server.conformance import DefinitionRegistry
from fhir_server.conformance.packages import CompiledFile, PackageStore, open_source, version_key
from tests.support.packages import manifest, profile, write_package

URL = "https://example.org/fhir/StructureDefinition/p"
VALUE_SET = {"resourceType": "ValueSet", "id": "v", "url": "https://example.org/fhir/ValueSet/v", "status": "active"}


def installed(tmp_path: Path, files: dict[str, Any], **facts: Any) -> PackageStore:
    store = PackageStore(tmp_path / "packages")
    store.install(open_source(write_package(tmp_path / "a.tgz", files, manifest(**facts))))
    return store


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("1.9.0", "1.10.0"),
        ("2.2.0-ballot", "2.2.0"),
        ("2.2.0-ballot", "2.2.0-ballot2"),
        ("", "0.1.0"),
        ("1.0", "1.0.1"),
        ("2018-08-12", "2020-01-01"),
    ],
)
def test_versions_have_an_order(older: str, newer: str) -> None:
    assert version_key(older) < version_key(newer)


def test_only_definitions_right_below_the_package_are_loaded(tmp_path: Path) -> None:
    guide = {
        "resourceType": "ImplementationGuide",
        "id": "ig",
        "url": "https://example.org/fhir/ImplementationGuide/ig",
        "definition": {
            "resource": [
                {"reference": {"reference": "ValueSet/shown"}, "exampleBoolean": True},
                {"reference": {"reference": "ValueSet/v"}, "exampleBoolean": False},
            ]
        },
    }
    store = installed(
        tmp_path,
        {
            ".index.json": {"index-version": 2, "files": []},
            "ig.json": guide,
            "v.json": VALUE_SET,
            "shown.json": {**VALUE_SET, "id": "shown", "url": "https://example.org/fhir/ValueSet/shown"},
            "Patient-x.json": {"resourceType": "Patient", "id": "x"},
            "example/e.json": {**VALUE_SET, "url": "https://example.org/fhir/ValueSet/e"},
        },
    )
    registry = DefinitionRegistry(packages=store.installed())
    assert [one["id"] for one in registry.resources("ValueSet")] == ["v"]
    assert [one["id"] for one in registry.resources("ImplementationGuide")] == ["ig"]
    assert registry.resources("Patient") == []


def test_start_reads_nothing_but_the_compiled_index(tmp_path: Path) -> None:
    store = installed(tmp_path, {"p.json": profile(), "v.json": VALUE_SET})
    (package,) = store.installed()
    for path in (package.folder / "package").glob("[pv].json"):
        path.unlink()
    compiled = package.folder / "definitions.bin"
    registry = DefinitionRegistry(packages=store.installed())
    content = compiled.read_bytes()
    compiled.write_bytes(content[:-1] + b"\0")
    assert (registry.find(URL) or {})["id"] == "p"
    with pytest.raises(Exception, match="check"):
        registry.find(VALUE_SET["url"])


@pytest.mark.parametrize("damage", ["older format", "damaged index", "absent"])
def test_what_another_version_compiled_is_compiled_anew(tmp_path: Path, damage: str) -> None:
    store = installed(tmp_path, {"p.json": profile()})
    compiled = store.installed()[0].folder / "definitions.bin"
    sound = compiled.read_bytes()
    if damage == "absent":
        compiled.unlink()
    elif damage == "damaged index":
        compiled.write_bytes(sound[:16] + b"\xc1" + sound[17:])
    else:
        compiled.write_bytes(b"fhirpkg0" + sound[8:])
    assert DefinitionRegistry(packages=store.installed()).find(URL) is not None
    assert compiled.read_bytes() == sound


def test_folder_that_cannot_be_written_is_served_all_the_same(tmp_path: Path) -> None:
    store = installed(tmp_path, {"p.json": profile()})
    folder = store.installed()[0].folder
    (folder / "definitions.bin").unlink()
    (folder / "definitions.bin").mkdir()
    assert DefinitionRegistry(packages=store.installed()).find(URL) is not None


def test_snapshot_of_a_profile_and_narrative_are_left_out_decimals_are_kept(tmp_path: Path) -> None:
    limited = {"element": [{"path": "Patient", "minValueDecimal": 1.5}]}
    whole = profile(text={"status": "empty"}, snapshot={"element": [{"path": "Patient"}]}, differential=limited)
    store = installed(tmp_path, {"p.json": whole})
    found = DefinitionRegistry(packages=store.installed()).find(URL) or {}
    assert not {"text", "snapshot"} & found.keys()
    assert found["differential"]["element"][0]["minValueDecimal"] == Decimal("1.5")


def test_half_a_package_is_none(tmp_path: Path) -> None:
    store = installed(tmp_path, {"p.json": profile()})
    shutil.copytree(store.installed()[0].folder, store.folder / "b#1.0.0")
    (store.folder / "b#1.0.0" / "installed.json").unlink()
    assert [package.manifest.key for package in store.installed()] == ["example.fhir.a#1.0.0"]
    assert store.broken() == ["b#1.0.0"]


def test_what_a_killed_installation_left_is_removed_later(tmp_path: Path) -> None:
    for name, age_s in (("old", 100_000), ("new", 0)):
        left = tmp_path / "packages" / f".installing-{name}"
        left.mkdir(parents=True)
        os.utime(left, (time.time() - age_s, time.time() - age_s))
    store = installed(tmp_path, {"p.json": profile()})
    assert sorted(path.name for path in store.folder.iterdir()) == [".installing-new", "example.fhir.a#1.0.0"]
    assert len(store.installed()) == 1


def test_ours_come_before_packages_and_packages_before_r4(tmp_path: Path) -> None:
    gender = "http://hl7.org/fhir/ValueSet/administrative-gender"
    redefined = {
        "v.json": {**VALUE_SET, "url": gender, "version": "9.0.0"},
        "p.json": profile(),
        "t.json": profile(
            "Patient", url="http://hl7.org/fhir/StructureDefinition/Patient", derivation="specialization"
        ),
    }
    registry = DefinitionRegistry(packages=installed(tmp_path, redefined).installed())
    assert (registry.find(gender) or {})["version"] == "9.0.0"
    assert "snapshot" in (registry.find("http://hl7.org/fhir/StructureDefinition/Patient") or {})
    registry.add(profile(version="3.0.0"))
    assert [(registry.find(URL + v) or {}).get("version") for v in ("", "|1.0.0")] == ["3.0.0", "1.0.0"]
    assert [one["version"] for one in registry.resources("StructureDefinition")][:2] == ["3.0.0", "1.0.0"]
    assert [one["version"] for one in registry.own_resources("StructureDefinition")] == ["3.0.0"]


def test_package_finds_the_versions_that_it_depends_on(tmp_path: Path) -> None:
    store = PackageStore(tmp_path / "packages")
    base, derived = "https://example.org/fhir/StructureDefinition/base", profile(baseDefinition=URL)
    for version, least in (("1.0.0", 1), ("2.0.0", 0)):
        limits = {"element": [{"path": "Patient.photo", "min": least}]}
        on_base = {"b.json": profile("base", version, differential=limits), "p.json": profile(version=version)}
        on_base["p.json"]["baseDefinition"] = base
        target = {"path": "Patient.link.other", "type": [{"code": "Reference", "targetProfile": [base]}]}
        on_base["p.json"]["differential"]["element"].append(target)
        package = write_package(tmp_path / f"{version}.tgz", on_base, manifest(version=version))
        store.install(open_source(package))
    needs = manifest("example.fhir.b", dependencies={"example.fhir.a": "1.0.x"})
    derived = {**derived, "url": f"{URL}-derived", "version": "9"}
    store.install(open_source(write_package(tmp_path / "b.tgz", {"d.json": derived}, needs)))
    registry = DefinitionRegistry(packages=store.installed())
    minima = {
        canonical: {element["id"]: element for element in registry.snapshot(canonical)}["Patient.photo"]["min"]
        for canonical in (URL, f"{URL}|1.0.0", f"{URL}|2.0.0", f"{URL}-derived")
    }
    element = {each["id"]: each for each in registry.snapshot(f"{URL}|1.0.0")}["Patient.link.other"]
    assert element["type"][0]["targetProfile"] == [f"{base}|1.0.0"]
    assert minima == {URL: 0, f"{URL}|1.0.0": 1, f"{URL}|2.0.0": 0, f"{URL}-derived": 1}


def test_compiled_file_knows_its_format(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"other")
    with pytest.raises(ValueError, match="fhirpkg1"):
        CompiledFile(tmp_path / "x")
