"""Code systems from CSV files: what is loaded, and what is said of a bad file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fhir_server.cli import terminology
from fhir_server.index.words import words_of
from fhir_server.terminology.compiled import CompiledCodeSystem, CompiledFile, CompiledLibrary
from fhir_server.terminology.loading import LoadRequest, Sources
from fhir_server.terminology.loading import load as load_source

SYSTEM = "https://example.org/codes"
GOOD = """code;display;parent;display:en;active;colour;definition
A;Écorce;;Bark;;brun|gris;"Ce qui entoure
l’arbre ; dehors"
B;Cœur de l’arbre;A;Heart of the tree;false;;
C;Branche;A|B;;true;vert;
"""


def load(tmp_path: Path, text: str | bytes, *options: str) -> int:
    source = tmp_path / "codes.csv"
    source.write_bytes(text.encode() if isinstance(text, str) else text)
    known = options or ("--system", SYSTEM, "--version", "1")
    return terminology.main(["load", "csv", str(source), *known, "--data-dir", str(tmp_path)])


def loaded(tmp_path: Path) -> CompiledFile:
    file = CompiledLibrary(tmp_path / "terminology").find(SYSTEM)
    assert file is not None
    return file


def test_a_table_becomes_a_code_system(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD) == 0
    file = loaded(tmp_path)
    assert file.header.version == "1"
    assert file.header.counts == {
        "concept": 3,
        "designation": 2,
        "property": 3,
        "parent": 3,
        "member": 0,
        "inactive": 1,
    }
    bark, heart, branch = file.every()
    assert (bark.display, bark.definition) == ("Écorce", "Ce qui entoure\nl’arbre ; dehors")
    assert not heart.is_active
    assert file.parents(branch) == ["A", "B"]
    assert file.designations(heart) == [("en", "", "Heart of the tree")]
    assert file.properties(bark) == [("colour", "string", "brun"), ("colour", "string", "gris")]
    provider = CompiledCodeSystem(file)
    found = [list(provider.select(words=text.split())) for text in ("coeur", "arb he", "tree", "b", "zzz")]
    assert found == [["B"], ["B"], ["B"], ["A", "B", "C"], []]


@pytest.mark.parametrize("word", ["œdème", "ﬁèvre", "a\u19b0b", "東京", "\U00010400x", "5²"])
def test_words_of_any_script_are_found(tmp_path: Path, word: str) -> None:
    load(tmp_path, f"code,display\nA,un {word} grave\nB,autre\n")
    assert list(CompiledCodeSystem(loaded(tmp_path)).select(words=words_of(word))) == ["A"]


def test_the_source_is_stated_with_its_checksum(tmp_path: Path) -> None:
    load(tmp_path, GOOD)
    (source,) = loaded(tmp_path).header.sources
    assert (source.name, source.size_bytes) == ("codes.csv", len(GOOD.encode()))
    assert len(source.sha256) == 64


@pytest.mark.parametrize(
    ("text", "place", "sentence"),
    [
        ("", "line 1", "lacks the columns `code`, `display`"),
        ("code,name\n", "line 1", "lacks the columns `display`"),
        ("code,display,display\n", "line 1, column 3", "`display` is there twice"),
        ("code,display\nA\n", "line 2, column 2", "1 values where the first line names 2 columns"),
        ("code,display\nA,a\n,b\n", "line 3, column 1", "`code` is empty"),
        ("code,display\nA,\n", "line 2, column 2", "`display` is empty"),
        ("code,display\nA,a\nB,b\nA,c\n", "line 4, column 1", "the code `A` is there twice"),
        ("code,display\n A,a\n", "line 2, column 1", "has spaces around it"),
        ("code,display,parent\nA,a,\nB,b,Z\n", "line 3", "`Z`, the parent of `B`, is not a code"),
        ("code,display,active\nA,a,maybe\n", "line 2, column 3", "`active` is `true` or `false`, not `maybe`"),
        ('code,display\nA,"a\n', "line 2", "the row cannot be read"),
        ("code,display\nA,\xe9\n".encode("latin-1"), "line 2, column 3", "the text is not UTF-8"),
    ],
)
def test_a_bad_table_is_refused_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | bytes, place: str, sentence: str
) -> None:
    assert load(tmp_path, text) == 2
    said = capsys.readouterr().err
    assert f"{tmp_path / 'codes.csv'}, {place}: " in said
    assert sentence in said
    assert list((tmp_path / "terminology").iterdir()) == []


def test_a_bad_table_leaves_the_loaded_one_as_it_was(tmp_path: Path) -> None:
    load(tmp_path, GOOD)
    load(tmp_path, "code,display\nA,\n")
    assert [row.code for row in loaded(tmp_path).every()] == ["A", "B", "C"]


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("absent.csv", ["--system", SYSTEM], "there is no such file or folder"),
        ("codes.csv", [], "give `--system URL`"),
        (".", ["--system", SYSTEM], "there is no file like `codes.csv` here"),
    ],
)
def test_what_is_missing_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, options: list[str], sentence: str
) -> None:
    folder = tmp_path / "sources"
    folder.mkdir()
    if name == "codes.csv":
        (folder / name).write_text(GOOD)
    assert terminology.main(["load", "csv", str(folder / name), *options, "--data-dir", str(tmp_path)]) == 2
    assert sentence in capsys.readouterr().err


def test_systems_are_listed_and_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load(tmp_path, GOOD)
    load(tmp_path, GOOD, "--system", SYSTEM, "--version", "2")
    (tmp_path / "terminology" / "broken.sqlite").write_text("no database")
    data = ["--data-dir", str(tmp_path)]
    capsys.readouterr()
    assert terminology.main(["list", *data]) == 0
    listed = capsys.readouterr().out
    assert f"{SYSTEM}|1 (csv" in listed
    assert f"{SYSTEM}|2 (csv" in listed
    assert "sha256:" in listed
    assert "broken.sqlite" in listed
    assert terminology.main(["remove", f"{SYSTEM}|1", *data]) == 0
    assert loaded(tmp_path).header.version == "2"
    assert terminology.main(["remove", f"{SYSTEM}|1", *data]) == 1
    assert f"{SYSTEM}|2" in capsys.readouterr().err
    assert terminology.main(["remove", SYSTEM, *data]) == 0
    assert CompiledLibrary(tmp_path / "terminology").find(SYSTEM) is None


def test_without_a_folder_the_command_asks_for_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FHIR_TERMINOLOGY_DIR", raising=False)
    assert terminology.main(["list"]) == 2
    assert "FHIR_TERMINOLOGY_DIR" in capsys.readouterr().err


def test_what_a_killed_load_left_goes_with_the_next_one(tmp_path: Path) -> None:
    folder = tmp_path / "terminology"
    folder.mkdir()
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    left, other = folder / f".loading-{int(ended.stdout)}-abc", folder / f".loading-{os.getpid()}-def"
    left.write_bytes(b"x")
    other.write_bytes(b"x")
    load(tmp_path, GOOD)
    assert not left.exists()
    assert other.exists()


def test_an_interrupted_load_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(_count: int) -> None:
        raise KeyboardInterrupt

    (tmp_path / "codes.csv").write_text(GOOD, encoding="utf-8")
    request = LoadRequest(Sources([tmp_path / "codes.csv"], interrupt), tmp_path / "loaded", SYSTEM)
    with pytest.raises(KeyboardInterrupt):
        load_source("csv", request)
    assert list((tmp_path / "loaded").iterdir()) == []


def test_a_folder_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "terminology").write_text("a file")
    assert load(tmp_path, GOOD) == 2
    assert str(tmp_path / "terminology") in capsys.readouterr().err
