"""The lines of the issue: one kind of search, history or paging each, with the rate that is asked of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from tests.benchmarks.client import encode_request
from tests.benchmarks.preparation import exchange
from tests.benchmarks.search.network import INS, VERSIONS, Network, codes, instant, references_in
from tests.benchmarks.search.queries import Query, next_path, references

PAGE_SIZE = 100
HISTORY_PAGE = 50
HISTORY_PAGES = 20


@dataclass(frozen=True, slots=True)
class Family:
    """One line: `target` is in requests per second, in resources per second where `in_resources`."""

    name: str
    text: str
    target: float
    in_resources: bool = False


FAMILIES = (
    Family("patient-code-date", "patient + code + date, sorted by date", 1800),
    Family("chain", "chain by identifier + include", 800),
    Family("include", "CarePlan + include", 2000),
    Family("revinclude", "Patient + revinclude", 1000),
    Family("everything", "$everything of a pathway (about 40)", 1000),
    Family("history", f"history of an instance of {VERSIONS} versions", 2500),
    Family("type-history", f"history of a type by {HISTORY_PAGE}", 900),
    Family("paging", f"deep paging by {PAGE_SIZE}, in resources", 40_000, in_resources=True),
    Family("sorted-paging", f"deep paging by {PAGE_SIZE}, sorted, in resources", 20_000, in_resources=True),
)
NAMES = tuple(family.name for family in FAMILIES)


def by_patient_code_date(network: Network) -> list[Query]:
    """Returns, for each patient, the observations of its most frequent code in the later half of its dates."""
    found = []
    for patient in network.of_type("Patient"):
        observations = [
            name for name in network.about(patient, "Observation") if "effectiveDateTime" in network.resources[name]
        ]
        [(code, _)] = Counter(code for name in observations for code in codes(network.resources[name])).most_common(1)

        def date_of(name: str) -> Any:
            return instant(network.resources[name]["effectiveDateTime"])

        coded = sorted((name for name in observations if code in codes(network.resources[name])), key=date_of)
        day = network.resources[coded[len(coded) // 2]]["effectiveDateTime"][:10]
        later = [name for name in coded if network.resources[name]["effectiveDateTime"][:10] >= day]
        path = f"Observation?patient={patient.partition('/')[2]}&code={code}&date=ge{day}&_sort=date"
        found.append(Query(path, later, total=len(later), rank=date_of))
    return found


def by_chain(network: Network) -> list[Query]:
    """Returns the care plans of the patient with an identifier, with that patient."""
    found = []
    for patient in network.of_type("Patient"):
        plans = network.about(patient, "CarePlan")
        path = f"CarePlan?subject:Patient.identifier={INS}|{_ins(network, patient)}&_include=CarePlan:subject"
        found.append(Query(path, plans, frozenset({patient}), total=len(plans)))
    return found


def with_include(network: Network) -> list[Query]:
    """Returns the care plans of a patient, with that patient."""
    found = []
    for patient in network.of_type("Patient"):
        plans = network.about(patient, "CarePlan")
        path = f"CarePlan?patient={patient}&_include=CarePlan:subject"
        found.append(Query(path, plans, frozenset({patient}), total=len(plans)))
    return found


def with_revinclude(network: Network) -> list[Query]:
    """Returns the patient with an identifier, with all observations about it."""
    return [
        Query(
            f"Patient?identifier={INS}|{_ins(network, patient)}&_revinclude=Observation:subject",
            [patient],
            frozenset(network.about(patient, "Observation")),
            total=1,
        )
        for patient in network.of_type("Patient")
    ]


def everything(network: Network) -> list[Query]:
    """Returns all that is about a patient, and what that refers to one step far."""
    found = []
    for patient in network.of_type("Patient"):
        members = [patient, *network.of_patient[patient]]
        referred = {name for member in members for name in references_in(network.resources[member])}
        others = frozenset(name for name in referred - set(members) if name in network.resources)
        found.append(Query(f"{patient}/$everything?_count=200", members, others, total=len(members)))
    return found


def instance_history(network: Network) -> list[Query]:
    """Returns the versions of observations that have several."""
    return [Query(f"{name}/_history", [name] * VERSIONS, total=VERSIONS) for name in network.versioned]


BUILDERS: dict[str, Callable[[Network], list[Query]]] = {
    "patient-code-date": by_patient_code_date,
    "chain": by_chain,
    "include": with_include,
    "revinclude": with_revinclude,
    "everything": everything,
    "history": instance_history,
}


async def walk(port: int, path: str, pages: int | None = None) -> list[Query]:
    """Returns the pages of a search from the first to the last, or as many as asked, each with what it gave.

    What all pages gave together is for the caller to check; tokens hold no state, so each page can be asked for again.
    """
    found: list[Query] = []
    following: str | None = path
    while following is not None and (pages is None or len(found) < pages):
        [answer] = await exchange(port, [encode_request("GET", f"/fhir/{following}")], connections=1)
        bundle = msgspec.json.decode(answer.body)
        found.append(Query(following, references(bundle, "match"), total=bundle.get("total"), exact=True))
        following = next_path(bundle)
    return found


def check_walk(network: Network, pages: list[Query], rank: Callable[[str], Any] | None) -> None:
    """Raises RuntimeError unless the pages hold every Observation once, in the order asked for."""
    names = [name for page in pages for name in page.matches]
    if sorted(names) != sorted(network.of_type("Observation")):
        raise RuntimeError(f"{pages[0].path}: the pages hold {len(names)} resources, {len(set(names))} different ones")
    ranks = [rank(name) for name in names] if rank else []
    if ranks != sorted(ranks):
        raise RuntimeError(f"{pages[0].path}: the pages are not in the order asked for")


async def page_queries(port: int, network: Network) -> dict[str, list[Query]]:
    """Returns the lines that go from page to page."""

    def date_of(name: str) -> Any:
        resource = network.resources[name]
        return instant(resource.get("effectiveDateTime") or resource["effectivePeriod"]["start"])

    plain = await walk(port, f"Observation?_count={PAGE_SIZE}")
    check_walk(network, plain, None)
    ordered = await walk(port, f"Observation?_count={PAGE_SIZE}&_sort=date")
    check_walk(network, ordered, date_of)
    history = await walk(port, f"Observation/_history?_count={HISTORY_PAGE}", HISTORY_PAGES)
    return {"paging": plain[:-1], "sorted-paging": ordered[:-1], "type-history": history}


def _ins(network: Network, patient: str) -> str:
    [value] = [each["value"] for each in network.resources[patient]["identifier"] if each.get("system") == INS]
    return str(value)
