"""The content holds, and each point of the check finds what it is there to find."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

from fhir_server.cli import main
from fhir_server.cli.content import Problem
from fhir_server.cli.content_check import BASE, FOLDERS, POINTS, check_content
from fhir_server.conformance.packages import PackageStore, open_source
from tests.support.packages import profile, write_package

ROOT = Path(__file__).parents[2]
DEFINITIONS = sorted(
    path
    for folder in ("profiles", "terminology", "mappings")
    for path in (ROOT / folder).rglob("*-*.json")
    if path.parent.name in FOLDERS.values() and path.parent.name != "naming-systems"
)
EXAMPLES = sorted((ROOT / "profiles/examples").glob("*.json"))
GOAL = "profiles/structure-definitions/StructureDefinition-msma-goal.json"
EXAMPLE = "profiles/examples/Goal-exemple-objectif.json"
COUNTEREXAMPLE = "profiles/counterexamples/Goal-msma-goal-bad-assessed-without-date.json"
EXPECTED = "profiles/counterexamples/Goal-msma-goal-bad-assessed-without-date.issues.json"
DOMAINS = "terminology/code-systems/CodeSystem-msma-goal-domain.json"
MAP = "mappings/concept-maps/ConceptMap-msma-substance-to-cim-10.json"
SUBSTANCES = "terminology/code-systems/CodeSystem-msma-substance.json"
PARAMETER = "profiles/search-parameters/SearchParameter-care-team-start.json"
VALUES = "terminology/value-sets/ValueSet-msma-goal-domain.json"


@pytest.fixture(scope="session")
def problems() -> list[Problem]:
    return check_content(ROOT / "profiles", ROOT / "terminology")


@pytest.mark.parametrize("point", POINTS)
def test_content_has_no_fault(problems: list[Problem], point: int) -> None:
    assert [problem for problem in problems if problem.point == point] == []


@pytest.mark.parametrize("path", [*DEFINITIONS, *EXAMPLES], ids=lambda path: path.stem)
def test_another_reader_of_fhir_accepts(path: Path) -> None:
    resource = json.loads(path.read_text(encoding="utf-8"))
    get_fhir_model_class(resource["resourceType"]).model_validate(resource)


@pytest.mark.parametrize("path", DEFINITIONS, ids=lambda path: path.stem)
def test_canonical_follows_from_the_file_name(path: Path) -> None:
    resource = json.loads(path.read_text(encoding="utf-8"))
    resource_type, _, id_ = path.stem.partition("-")
    assert (resource["resourceType"], resource["id"]) == (resource_type, id_)
    assert resource["url"] == f"{BASE}/{resource_type}/{id_}"


def edit(file: str, change: Callable[[Any], object]) -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        content = json.loads((root / file).read_text(encoding="utf-8"))
        change(content)
        (root / file).write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")

    return apply


def rewrite(file: str, change: Callable[[str], str]) -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        (root / file).write_text(change((root / file).read_text(encoding="utf-8")), encoding="utf-8")

    return apply


def move(file: str, target: str) -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        (root / target).parent.mkdir(exist_ok=True)
        (root / file).rename(root / target)

    return apply


def constraint(expression: str) -> Callable[[Any], object]:
    return lambda goal: goal["differential"]["element"][0]["constraint"][0].update(expression=expression)


def add_rule(goal: Any) -> None:
    rule = {"key": "msma-999", "severity": "error", "human": "Toujours vrai.", "expression": "true"}
    goal["differential"]["element"][0]["constraint"].append(rule)


FAULTS = {
    "not-json": (rewrite(GOAL, lambda text: text[:-3]), 1, GOAL),
    "not-indented": (rewrite(GOAL, lambda text: text.replace("  ", " ")), 1, GOAL),
    "other-name": (move(EXAMPLE, "profiles/examples/Goal-autre.json"), 1, "profiles/examples/Goal-autre.json"),
    "other-folder": (
        move(DOMAINS, "terminology/value-sets/CodeSystem-msma-goal-domain.json"),
        1,
        "terminology/value-sets/CodeSystem-msma-goal-domain.json",
    ),
    "other-url": (edit(VALUES, lambda values: values.update(url=f"{BASE}/ValueSet/autre")), 1, VALUES),
    "other-version": (edit(VALUES, lambda values: values.update(version="9.9.9")), 1, VALUES),
    "not-r4": (edit(GOAL, lambda goal: goal.update(statut="draft")), 2, GOAL),
    "unknown-value-set": (
        edit(GOAL, lambda goal: goal["differential"]["element"][1]["binding"].update(valueSet=f"{BASE}/ValueSet/x")),
        3,
        GOAL,
    ),
    "unknown-system": (
        edit(VALUES, lambda values: values["compose"]["include"].append({"system": "https://exemple.fr", "code": "x"})),
        3,
        VALUES,
    ),
    "unknown-element": (
        edit(GOAL, lambda goal: goal["differential"]["element"][1].update(id="Goal.kategory")),
        4,
        GOAL,
    ),
    "unreadable-rule": (edit(GOAL, constraint("statusDate.exists(")), 4, GOAL),
    "not-indexable": (edit(PARAMETER, lambda one: one.update(expression="CareTeam.period.begin")), 4, PARAMETER),
    "code-taken": (edit(PARAMETER, lambda one: one.update(code="date")), 4, PARAMETER),
    "example-fails": (edit(EXAMPLE, lambda goal: goal.pop("startDate")), 5, EXAMPLE),
    "counterexample-passes": (
        edit(COUNTEREXAMPLE, lambda goal: goal.update(statusDate="2023-05-15")),
        5,
        COUNTEREXAMPLE,
    ),
    "other-findings": (edit(EXPECTED, lambda issues: issues[0].update(expression="Goal.note")), 5, COUNTEREXAMPLE),
    "findings-not-written": (lambda root: (root / EXPECTED).unlink(), 5, COUNTEREXAMPLE),
    "findings-alone": (lambda root: (root / COUNTEREXAMPLE).unlink(), 5, EXPECTED),
    "no-example": (lambda root: (root / EXAMPLE).unlink(), 5, GOAL),
    "rule-never-broken": (edit(GOAL, add_rule), 5, GOAL),
    "value-set-empty": (edit(VALUES, lambda values: values["compose"]["include"][0].update(concept=[])), 6, VALUES),
    "code-unknown": (
        edit(VALUES, lambda values: values["compose"]["include"][0].update(concept=[{"code": "autre"}])),
        6,
        VALUES,
    ),
    "mapped-code-unknown": (edit(MAP, lambda map_: map_["group"][0]["element"][0].update(code="autre")), 6, MAP),
    "count-differs": (edit(DOMAINS, lambda domains: domains.update(count=1)), 6, DOMAINS),
}


@pytest.fixture
def small_content(tmp_path: Path) -> Path:
    """One profile with its codes, example and counterexample; what it refers to is missing."""
    for file in (GOAL, EXAMPLE, COUNTEREXAMPLE, EXPECTED, DOMAINS, VALUES, MAP, SUBSTANCES, PARAMETER):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    for file in ("profiles/package.json", "terminology/external.toml"):
        shutil.copy(ROOT / file, tmp_path / file)
    return tmp_path


@pytest.mark.parametrize("fault", FAULTS)
def test_content_check_finds(small_content: Path, fault: str) -> None:
    before = set(check_content(small_content / "profiles", small_content / "terminology"))
    make_fault, point, file = FAULTS[fault]
    make_fault(small_content)
    after = set(check_content(small_content / "profiles", small_content / "terminology"))
    assert (point, small_content / file) in {(problem.point, problem.path) for problem in after - before}


def test_command_prints_each_point_and_ends_with_1_on_a_fault(
    small_content: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["content-check", "--content", str(small_content)]) == 1
    printed = capsys.readouterr().out
    assert [f"{point}. {title}" in printed for point, title in POINTS.items()] == [True] * len(POINTS)
    assert "✗ 3." in printed
    assert "1 structure-definitions" in printed


def test_command_ends_with_0_on_our_content(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["content-check"]) == 0
    assert "✗" not in capsys.readouterr().out


def test_package_may_define_what_the_content_names(
    small_content: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = profile()["url"]
    edit(EXAMPLE, lambda goal: goal["meta"]["profile"].append(url))(small_content)
    arguments = ["content-check", "--content", str(small_content), "--data-dir", str(tmp_path / "data")]
    assert main(arguments) == 1
    assert f"`{url}` is not known" in capsys.readouterr().out
    package = profile(type="Goal", baseDefinition="http://hl7.org/fhir/StructureDefinition/Goal")
    package["differential"] = {"element": [{"id": "Goal.subject", "path": "Goal.subject", "min": 1}]}
    archive = write_package(tmp_path / "a.tgz", {"p.json": package})
    PackageStore(tmp_path / "data/packages").install(open_source(archive))
    main(arguments)
    assert url not in capsys.readouterr().out
