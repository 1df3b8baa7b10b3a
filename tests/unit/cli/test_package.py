"""`fhir-server package`: what it installs, what it refuses, what it says."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fhir_server.app import installed_packages
from fhir_server.cli import main
from fhir_server.conformance import DefinitionRegistry
from fhir_server.conformance.packages import PackageStore, Source, source
from fhir_server.settings import Settings, with_folders
from tests.support.packages import FR_CORE, manifest, needs_fr_core, profile, write_package

URL = "https://example.org/fhir/StructureDefinition/p"
Install = Callable[..., tuple[int, str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FHIR_PACKAGES_DIR", str(tmp_path / "packages"))
    return tmp_path / "packages"


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> Install:
    """Runs `fhir-server package …`; returns its exit code and all it printed."""

    def run(*arguments: object) -> tuple[int, str]:
        code = main(["package", *map(str, arguments)])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run


def registry(folder: Path) -> DefinitionRegistry:
    return DefinitionRegistry(packages=PackageStore(folder).installed())


def folder_of(path: Path) -> Path:
    """Unpacks an archive; returns the folder that holds its `package/`."""
    with tarfile.open(path) as archive:
        archive.extractall(path.with_suffix(""), filter="data")
    return path.with_suffix("")


@needs_fr_core
def test_fr_core_is_installed_once(run: Install, folder: Path) -> None:
    code, printed = run("install", FR_CORE)
    assert code == 1
    assert "hl7.terminology.r4#7.1.0 (← hl7.fhir.fr.core#2.2.0)" in printed
    assert not folder.exists()
    code, printed = run("install", "--allow-missing-dependencies", FR_CORE)
    assert (code, "142 définitions" in printed) == (0, True)
    code, printed = run("install", "--allow-missing-dependencies", FR_CORE)
    assert (code, "déjà installé" in printed) == (0, True)
    code, printed = run("list")
    assert code == 0
    assert "hl7.fhir.fr.core#2.2.0" in printed
    assert "ans.fr.terminologies#1.7.0" in printed


@pytest.mark.parametrize("form", ["archive", "folder", "inner folder", "folder of archives"])
def test_package_is_seen_by_the_registry(run: Install, folder: Path, tmp_path: Path, form: str) -> None:
    (tmp_path / "given").mkdir()
    archive = write_package(tmp_path / "given" / "a.tgz", {"StructureDefinition-p.json": profile()})
    unpacked = folder_of(archive) if "folder" in form and "archives" not in form else tmp_path
    source = {
        "archive": archive,
        "folder": unpacked,
        "inner folder": unpacked / "package",
        "folder of archives": archive.parent,
    }[form]
    assert run("install", source)[0] == 0
    found = registry(folder)
    assert found.find(URL) == profile()
    assert found.tree(URL).children is not None
    assert not found.is_own(URL)


def test_two_versions_stand_side_by_side(run: Install, folder: Path, tmp_path: Path) -> None:
    for version in ("1.9.0", "1.10.0"):
        package = manifest(version=version)
        assert run("install", write_package(tmp_path / "a.tgz", {"p.json": profile(version=version)}, package))[0] == 0
    found = registry(folder)
    versions = {canonical: (found.find(URL + canonical) or {}).get("version") for canonical in ("", "|1.9.0", "|2.0.0")}
    assert versions == {"": "1.10.0", "|1.9.0": "1.9.0", "|2.0.0": None}
    assert run("remove", "example.fhir.a#1.10.0")[0] == 0
    assert (registry(folder).find(URL) or {})["version"] == "1.9.0"


def broken_archive(path: Path, name: str, kind: bytes = tarfile.REGTYPE) -> Path:
    write_package(path, {})
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(path.read_bytes()))) as read:
        content = read.extractfile("package/package.json")
        assert content is not None
        text = content.read()
    with tarfile.open(path, "w:gz") as archive:
        for member, data in ((tarfile.TarInfo("package/package.json"), text), (tarfile.TarInfo(name), b"")):
            member.size = len(data)
            if member.name == name:
                member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member, io.BytesIO(data))
    return path


def given(tmp_path: Path, what: str) -> Path:
    """Returns a source that is refused."""
    archive = tmp_path / "given.tgz"
    packages: dict[str, dict[str, Any]] = {
        "R5": manifest(fhirVersions=["5.0.0"], dependencies={}),
        "no FHIR version": {"name": "example.fhir.a", "version": "1.0.0"},
        "R4 itself": manifest("hl7.fhir.r4.core", "4.0.1"),
        "a name with a path": manifest("../a"),
        "no version": {"name": "a"},
    }
    if what in packages:
        return write_package(archive, {}, packages[what])
    if what == "broken JSON":
        return write_package(archive, {"p.json": profile(), "q.json": b'{"resourceType": '})
    if what == "a package.json that is none":
        return write_package(archive, {"package.json": b"{"})
    if what == "an empty folder":
        (tmp_path / "empty").mkdir()
        return tmp_path / "empty"
    if what == "half an archive":
        whole = write_package(archive, {"p.json": profile()}).read_bytes()
        archive.write_bytes(whole[: len(whole) // 2])
        return archive
    if what == "text":
        archive.write_text("<html>")
        return archive
    names = {"a way out": ("package/../../evil.json", tarfile.REGTYPE), "a root": ("/evil.json", tarfile.REGTYPE)}
    names |= {"a link": ("package/link.json", tarfile.SYMTYPE), "a hard link": ("package/link.json", tarfile.LNKTYPE)}
    return broken_archive(archive, *names[what]) if what in names else tmp_path / "absent.tgz"


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("R5", "is for FHIR 5.0.0; this server speaks FHIR 4.0.1"),
        ("no FHIR version", "does not say its FHIR version"),
        ("R4 itself", "is built into this server"),
        ("a name with a path", "`name` of package.json should be like `hl7.fhir.fr.core`"),
        ("no version", "`version` of package.json should be like `2.2.0`"),
        ("a package.json that is none", "package.json is not JSON"),
        ("broken JSON", "`q.json` of the package is broken"),
        ("an empty folder", "it has no package/package.json"),
        ("half an archive", "cannot be read as a package archive"),
        ("text", "cannot be read as a package archive"),
        ("a way out", "points outside the package"),
        ("a root", "points outside the package"),
        ("a link", "points outside the package or is no plain file"),
        ("a hard link", "points outside the package or is no plain file"),
        ("nothing", "is not there"),
    ],
)
def test_refused_package_leaves_nothing_behind(
    run: Install, folder: Path, tmp_path: Path, what: str, sentence: str
) -> None:
    source = given(tmp_path, what)
    before = sorted(path for path in tmp_path.rglob("*") if folder not in path.parents)
    code, printed = run("install", source)
    assert code == 1
    assert sentence in " ".join(printed.split())
    assert not folder.exists() or list(folder.iterdir()) == []
    assert sorted(path for path in tmp_path.rglob("*") if folder not in (path, *path.parents)) == before


def test_other_content_under_an_installed_version_is_refused(run: Install, folder: Path, tmp_path: Path) -> None:
    archive = write_package(tmp_path / "a.tgz", {"p.json": profile()})
    assert run("install", archive)[0] == 0
    changed = write_package(tmp_path / "b.tgz", {"p.json": profile(status="draft")})
    code, printed = run("install", changed)
    assert (code, "is installed with other content" in printed) == (1, True)
    assert (registry(folder).find(URL) or {})["status"] == "active"
    assert run("install", folder_of(archive))[1].endswith("déjà installé · already installed\n")


def test_dependencies_come_from_beside_and_in_order(run: Install, folder: Path, tmp_path: Path) -> None:
    write_package(tmp_path / "z.tgz", {"q.json": profile("q", "2.1.3")}, manifest("example.fhir.b", "2.1.3"))
    needs_b = manifest(dependencies={"hl7.fhir.r4.core": "4.0.1", "example.fhir.b": "2.1.x"})
    on_q = profile(baseDefinition="https://example.org/fhir/StructureDefinition/q")
    archive = write_package(tmp_path / "a.tgz", {"p.json": on_q}, needs_b)
    code, printed = run("install", archive)
    assert code == 0
    assert [line.partition(" ")[0] for line in printed.splitlines()] == ["example.fhir.b#2.1.3", "example.fhir.a#1.0.0"]
    assert registry(folder).snapshot(URL)
    code, printed = run("remove", "example.fhir.b")
    assert (code, "is needed by `example.fhir.a#1.0.0`" in printed) == (1, True)
    assert run("remove", "--force", "example.fhir.b#2.1.3")[0] == 0
    assert "absents · missing: example.fhir.b#2.1.x" in run("list")[1]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"baseDefinition": "https://example.org/absent"}, "`https://example.org/absent` is not known"),
        ({"differential": {"element": [{"id": "Patient.color", "path": "Patient.color"}]}}, "`Patient.color` does not"),
        ({"differential": {"element": [{"min": 1}]}}, "has no elements that make a tree"),
        ({"differential": {"element": "all"}}, "has no elements that make a tree"),
        ({"derivation": "specialization", "url": "https://example.org/logical"}, None),
    ],
)
def test_profile_that_cannot_be_used_is_told_of(
    run: Install, tmp_path: Path, changes: dict[str, Any], sentence: str | None
) -> None:
    code, printed = run("install", write_package(tmp_path / "a.tgz", {"p.json": profile(**changes)}))
    assert code == 0
    assert ("inutilisable · unusable" in printed) == (sentence is not None)
    assert sentence is None or sentence in printed


def test_neighbour_that_is_no_package_is_passed_over(run: Install, tmp_path: Path) -> None:
    (tmp_path / "b.tgz").write_text("no archive")
    needs = manifest(dependencies={"example.fhir.b": "1.0.0"})
    code, printed = run("install", write_package(tmp_path / "a.tgz", {}, needs))
    assert (code, "example.fhir.b#1.0.0 (← example.fhir.a#1.0.0)" in printed) == (1, True)


def test_given_packages_meet_each_others_dependencies(run: Install, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    needs = manifest(dependencies={"example.fhir.b": "current", "example.fhir.a": "1.0.0"})
    a = write_package(tmp_path / "a/a.tgz", {"p.json": profile()}, needs)
    b = write_package(tmp_path / "b/b.tgz", {"q.json": profile("q")}, manifest("example.fhir.b", "3.0.0"))
    code, printed = run("install", a, b)
    assert code == 0
    assert [line.partition(" ")[0] for line in printed.splitlines()] == ["example.fhir.b#3.0.0", "example.fhir.a#1.0.0"]


def test_folder_that_cannot_be_written_is_named(run: Install, folder: Path, tmp_path: Path) -> None:
    folder.write_text("a file in its place")
    code, printed = run("install", write_package(tmp_path / "a.tgz", {"p.json": profile()}))
    assert (code, f"`{folder}` cannot be made" in printed) == (1, True)


def test_folder_with_a_link_is_refused(run: Install, tmp_path: Path) -> None:
    unpacked = folder_of(write_package(tmp_path / "a.tgz", {"p.json": profile()}))
    (unpacked / "package/link.json").symlink_to("/etc/passwd")
    code, printed = run("install", unpacked)
    assert (code, "`link.json`, which points outside" in printed) == (1, True)


def test_archive_that_swells_is_refused(run: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = write_package(tmp_path / "a.tgz", {"p.json": profile(), "zeros.json": b"0" * 2_000_000})
    monkeypatch.setattr(source, "MAX_BYTES", 1_000_000)
    code, printed = run("install", archive)
    assert (code, "unpacks to more than" in printed) == (1, True)


def test_interruption_leaves_nothing_behind(
    run: Install, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = write_package(tmp_path / "a.tgz", {"p.json": profile()})
    real = PackageStore.install

    def interrupted(store: PackageStore, source: Source, _progress: object) -> bool:
        def stop(_name: str) -> None:
            raise KeyboardInterrupt

        return real(store, source, stop)

    monkeypatch.setattr(PackageStore, "install", interrupted)
    code, printed = run("install", archive)
    assert (code, "interrupted" in printed) == (1, True)
    assert list(folder.iterdir()) == []


def test_broken_folder_is_told_of(run: Install, folder: Path, tmp_path: Path) -> None:
    archive = write_package(tmp_path / "a.tgz", {"p.json": profile()})
    assert run("install", archive)[0] == 0
    (folder / "example.fhir.a#1.0.0/installed.json").unlink()
    assert "example.fhir.a#1.0.0  abîmé" in run("list")[1]
    assert run("install", archive)[0] == 0
    assert "abîmé" not in run("list")[1]


def test_unknown_package_is_not_removed(run: Install) -> None:
    code, printed = run("remove", "example.fhir.a#1.0.0")
    assert (code, "`example.fhir.a#1.0.0` is not installed" in printed) == (1, True)
    assert "Aucun paquet" in run("list")[1]


def test_folder_is_that_of_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("FHIR_PACKAGES_DIR", raising=False)
    assert main(["package", "list"]) == 1
    assert "FHIR_PACKAGES_DIR" in capsys.readouterr().err
    archive = write_package(tmp_path / "a.tgz", {"p.json": profile()})
    assert main(["package", "install", "--data-dir", str(tmp_path / "data"), str(archive)]) == 0
    settings = with_folders(Settings(), tmp_path / "data")
    assert [package.manifest.key for package in installed_packages(settings)] == ["example.fhir.a#1.0.0"]


def test_validate_sees_packages(run: Install, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("install", write_package(tmp_path / "a.tgz", {"p.json": profile()}))[0] == 0
    file = tmp_path / "patient.json"
    file.write_text('{"resourceType": "Patient"}')
    assert main(["validate", str(file), "--profile", f"{URL}|1.0.0"]) == 1
    assert "Patient.birthDate [cardinality-min]" in capsys.readouterr().out


def test_commands_find_packages_by_the_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("FHIR_PACKAGES_DIR", raising=False)
    data = tmp_path / "data"
    archive = write_package(tmp_path / "a.tgz", {"p.json": profile()})
    assert main(["package", "install", "--data-dir", str(data), str(archive)]) == 0
    file = tmp_path / "patient.json"
    file.write_text('{"resourceType": "Patient"}')
    assert main(["validate", str(file), "--profile", URL, "--data-dir", str(data)]) == 1
    assert "[cardinality-min]" in capsys.readouterr().out
