"""The package that other FHIR tools load: everything is in it, and the same content gives the same bytes."""

import io
import json
import shutil
import tarfile
from pathlib import Path

import pytest

from fhir_server.cli import main
from fhir_server.cli.content import Content, read_content
from fhir_server.cli.content_build import build_archive, package_files

ROOT = Path(__file__).parents[2]


GUIDE = "ImplementationGuide-fr.cnrms.msma.json"


@pytest.fixture(scope="module")
def content() -> Content:
    return read_content(ROOT / "profiles", ROOT / "terminology")


@pytest.fixture(scope="module")
def files(content: Content) -> dict[str, bytes]:
    return package_files(content)


def test_package_holds_every_definition_and_example(files: dict[str, bytes]) -> None:
    definitions = {
        path.name for folder in ("profiles", "terminology", "mappings") for path in (ROOT / folder).glob("*/*.json")
    } - {path.name for path in (ROOT / "profiles").glob("*examples/*.json")}
    examples = {path.name for path in (ROOT / "profiles/examples").glob("*.json")}
    packed = {Path(name).name for name in files if name.count("/") == 1}
    assert packed == definitions | {"package.json", ".index.json", GUIDE}
    assert {Path(name).name for name in files if name.startswith("package/example/")} == examples | {".index.json"}


def test_index_names_each_definition_with_its_canonical(files: dict[str, bytes]) -> None:
    index = json.loads(files["package/.index.json"])
    entries = {entry["filename"]: entry for entry in index["files"]}
    assert set(entries) == {Path(name).name for name in files if name.count("/") == 1} - {"package.json", ".index.json"}
    assert entries["StructureDefinition-msma-patient.json"] == {
        "filename": "StructureDefinition-msma-patient.json",
        "resourceType": "StructureDefinition",
        "id": "msma-patient",
        "url": "https://cnrms.fr/ig/fhir/msma/StructureDefinition/msma-patient",
        "version": "0.1.0",
        "kind": "resource",
        "type": "Patient",
        "derivation": "constraint",
    }


def test_same_content_gives_the_same_bytes(content: Content, files: dict[str, bytes]) -> None:
    assert build_archive(files) == build_archive(dict(reversed(files.items())))
    again = read_content(content.profiles, content.terminology)
    assert build_archive(package_files(again)) == build_archive(files)


def test_profiles_come_with_their_snapshots(files: dict[str, bytes]) -> None:
    profiles = [json.loads(file) for name, file in files.items() if "/StructureDefinition-" in name]
    assert len(profiles) > 40
    for profile in profiles:
        elements = profile["snapshot"]["element"]
        assert elements[0]["id"] == profile["type"]
        assert all({"id", "path", "min", "max", "base", "definition"} <= element.keys() for element in elements)


def test_guide_lists_what_the_package_holds(content: Content, files: dict[str, bytes]) -> None:
    guide = json.loads(files[f"package/{GUIDE}"])
    assert [issue for issue in content.validator.validate(guide) if issue.is_error] == []
    listed = {entry["reference"]["reference"].replace("/", "-"): entry for entry in guide["definition"]["resource"]}
    packed = {Path(name).stem for name in files if not name.endswith(("index.json", "package.json", GUIDE))}
    assert set(listed) == packed
    assert listed["StructureDefinition-msma-patient"]["exampleBoolean"] is False
    example = listed["Patient-exemple-patient"]
    assert example["exampleCanonical"] == "https://cnrms.fr/ig/fhir/msma/StructureDefinition/msma-patient"
    assert listed["Bundle-reseau-exemple"]["exampleBoolean"] is True
    groups = [group["id"] for group in guide["definition"]["grouping"]]
    assert {entry["groupingId"] for entry in listed.values()} == set(groups)
    assert {one["packageId"]: one["version"] for one in guide["dependsOn"]} == {
        "hl7.fhir.fr.core": "2.2.0",
        "ans.fr.terminologies": "1.7.0",
    }


def test_command_writes_the_package(
    tmp_path: Path, files: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["content-build", "--output", str(tmp_path)]) == 0
    target = tmp_path / "fr.cnrms.msma-0.1.0.tgz"
    assert str(target) in capsys.readouterr().out
    with tarfile.open(fileobj=io.BytesIO(target.read_bytes())) as archive:
        members = archive.getmembers()
        unpacked = {member.name: (archive.extractfile(member) or io.BytesIO()).read() for member in members}
    assert members[0].name == "package/package.json"
    assert unpacked == files


def test_command_refuses_content_with_faults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = tmp_path / "content"
    (content / "profiles").mkdir(parents=True)
    (content / "terminology/value-sets").mkdir(parents=True)
    shutil.copy(ROOT / "profiles/package.json", content / "profiles")
    shutil.copy(ROOT / "terminology/external.toml", content / "terminology")
    shutil.copy(ROOT / "terminology/value-sets/ValueSet-msma-role.json", content / "terminology/value-sets")
    assert main(["content-build", "--content", str(content), "--output", str(tmp_path / "out")]) == 1
    assert "content-check" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()
