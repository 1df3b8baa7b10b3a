"""What is validated: resources of synthetic patients, the same with one fault each, HL7's examples, FR Core's Patient.

Every resource is judged once before any clock runs: a figure stands only for right verdicts.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fhir_server.app import build_terminology, definitions_of, validation_options
from fhir_server.conformance.packages import PackageStore, open_source
from fhir_server.outcome import Issue
from fhir_server.settings import Settings
from fhir_server.spec.json_format import decode, encode
from fhir_server.synthetic import broken_pathway_bundle, pathway_bundle
from fhir_server.synthetic.resources.elements import COUNTRY
from fhir_server.validation import Validator
from tests.support.network import pathway
from tests.support.suites import SUITES, official_examples

PACKAGE = SUITES.parent / "hl7.fhir.fr.core-2.2.0.tgz"
FR_PATIENT = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-patient"
ANY = "any rule"
Judge = Callable[[Any], list[Issue]]


@dataclass(frozen=True, slots=True)
class Workload:
    """One line: `items` that `judge` finds well (`rules` empty) or, each at its position, breaking one of `rules`."""

    name: str
    text: str
    items: Sequence[Any]
    judge: Judge
    target: float | None = None
    rules: Sequence[str] = ()

    def wrong(self) -> str:
        """Returns a sentence about the first verdict that is not right; empty where all are."""
        for position, item in enumerate(self.items):
            errors = {issue.rule for issue in self.judge(item) if issue.is_error}
            expected = self.rules[position % len(self.rules)] if self.rules else ""
            is_right = (errors if expected == ANY else expected in errors) if expected else not errors
            if not is_right:
                return f"{self.name} {position}: {sorted(errors)} where {expected or 'nothing'} is right"
        return ""


@dataclass(frozen=True, slots=True)
class Fault:
    """An edit of an Observation, and the rule that it breaks."""

    rule: str
    edit: Callable[[dict[str, Any]], object]


FAULTS = (
    Fault("cardinality-min", lambda one: one.pop("status")),
    Fault("binding-required", lambda one: one.update(status="done")),
    Fault("unknown-element", lambda one: one.update(colour="green")),
    Fault("json-shape", lambda one: one.update(subject=[one["subject"]])),
    Fault("primitive-instant", lambda one: one.update(issued="hier")),
    Fault("obs-6", lambda one: one.update(dataAbsentReason={"text": "x"}, valueString="x")),
    Fault("reference-target-type", lambda one: one["subject"].update(reference="Medication/1")),
    Fault("empty-string", lambda one: one.update(implicitRules="")),
)


def broken(observation: dict[str, Any], fault: Fault) -> dict[str, Any]:
    """Returns the Observation with one fault."""
    one = copy.deepcopy(observation)
    if fault.rule == "obs-6":
        for name in [name for name in one if name.startswith("value")]:
            del one[name]
    fault.edit(one)
    return one


def msma_validator(packages: Path | None = None) -> Validator:
    """Returns the validator that the server makes of its content, and of the packages installed in a folder."""
    settings = Settings(packages_dir=str(packages or ""))
    definitions = definitions_of(settings)
    return Validator(definitions, build_terminology(settings, definitions), validation_options(settings, definitions))


def install(package: Path, folder: Path) -> None:
    """Installs a FHIR package as `fhir-server package install` does."""
    PackageStore(folder).install(open_source(package))


def judge_write(validator: Validator) -> Judge:
    """Returns what the server asks of the validator before it writes a resource."""

    def judge(resource: dict[str, Any]) -> list[Issue]:
        issues = validator.validate(resource)
        validator.existing_targets(resource)
        return issues

    return judge


def judge_bundle(validator: Validator) -> Judge:
    """Returns what the server asks of the validator before it carries out a transaction."""

    def judge(bundle: dict[str, Any]) -> list[Issue]:
        issues = validator.validate(bundle)
        for entry in bundle["entry"]:
            validator.asks_for_targets(entry["resource"])
        return issues

    return judge


def from_json(judge: Judge) -> Judge:
    """Returns `judge` for the bytes of a resource."""
    return lambda body: judge(decode(body))


def msma_workloads(validator: Validator, patients: int) -> list[Workload]:
    """Returns the lines about pathways of as many patients, each with a seed of its own."""
    bundles = [pathway_bundle(seed) for seed in range(patients)]
    stored = [resource for seed in range(patients) for resource in pathway(seed)]
    observations = [one for one in stored if one["resourceType"] == "Observation"]
    faulty = [broken(one, FAULTS[position % len(FAULTS)]) for position, one in enumerate(observations)]
    write, whole = judge_write(validator), judge_bundle(validator)
    return [
        Workload("observations", "MSMA Observations", observations, write, 3000),
        Workload(
            "observations-json",
            "MSMA Observations, JSON decoded too",
            [encode(one) for one in observations],
            from_json(write),
            3000,
        ),
        Workload("invalid-observations", "invalid Observations", faulty, write, None, [fault.rule for fault in FAULTS]),
        Workload("bundles", "pathway bundles (about 40 entries)", bundles, whole, 40),
        Workload(
            "bundles-json",
            "pathway bundles, JSON decoded too",
            [encode(one) for one in bundles],
            from_json(whole),
            40,
        ),
        Workload(
            "invalid-bundles",
            "invalid pathway bundles",
            [broken_pathway_bundle(seed) for seed in range(patients)],
            validator.validate,
            None,
            [ANY],
        ),
    ]


def example_workload(validator: Validator) -> Workload:
    """Returns the line about HL7's R4 examples."""
    return Workload("r4-examples", "HL7's R4 examples", list(official_examples().values()), validator.validate)


def fr_core_workload(validator: Validator, patients: int) -> Workload:
    """Returns the line about Patients checked against FR Core beside our own profiles; its package must be installed.

    Those born abroad are left out: FR Core requires a code of a French commune where ours have that of a country.
    """
    found = (resource for seed in range(patients) for resource in pathway(seed))
    people = [one for one in found if one["resourceType"] == "Patient" and COUNTRY not in str(one.get("extension"))]
    claimed = [{**one, "meta": {**one["meta"], "profile": [*one["meta"]["profile"], FR_PATIENT]}} for one in people]
    return Workload("fr-core-patients", "FR Core Patients", claimed, judge_write(validator))


def size_text(workload: Workload) -> str:
    """Returns how many different items a line has and their mean size in JSON."""
    sizes = [len(one if isinstance(one, bytes) else encode(one)) for one in workload.items]
    return f"{len(sizes):,} × {sum(sizes) / len(sizes) / 1000:,.1f} kB"


def as_json(figures: object) -> str:
    """Returns figures as they are written to a file."""
    return json.dumps(figures, indent=1, ensure_ascii=False) + "\n"
