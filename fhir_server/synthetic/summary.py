"""Counts what was generated, and shows it beside the figures of the documents."""

from __future__ import annotations

from collections import Counter
from statistics import fmean
from typing import TYPE_CHECKING, Any

from fhir_server.synthetic import distributions as figures

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fhir_server.synthetic.course import Course
    from fhir_server.synthetic.network import Network

_YEAR = 365.25
_SUBSTANCES_SHOWN = 8
_SUBSTANCE_LABELS = {
    "alcohol": "alcool",
    "tobacco": "tabac",
    "cannabis": "cannabis",
    "opioids": "opiacés",
    "cocaine": "cocaïne",
    "tso-misuse": "mésusage de TSO",
    "benzodiazepines": "benzodiazépines",
    "amphetamines": "amphétamines",
    "gambling": "jeux",
}
_ROLE_LABELS = {
    "gp": "médecin généraliste",
    "psychologist": "psychologue",
    "social-worker": "travailleur social",
    "psychiatrist": "psychiatre",
}
_INFECTION_LABELS = {"hiv": "VIH", "hbv": "VHB", "hcv": "VHC"}


class Tally:
    """Counters of a generated network; memory does not grow with its size but for one age per patient."""

    def __init__(self) -> None:
        self.resources: Counter[str] = Counter()
        self.patients: Counter[str] = Counter()
        self.ages: dict[bool, list[float]] = {True: [], False: []}
        self.users: Counter[str] = Counter()
        self.acts: Counter[str] = Counter()
        self.screenings: Counter[str] = Counter()
        self.proposed = 0
        self.exits: Counter[str] = Counter()
        self.years = 0.0

    def add_bundle(self, bundle: dict[str, Any]) -> None:
        """Counts the resources of a bundle by type."""
        self.resources.update(entry["resource"]["resourceType"] for entry in bundle["entry"])

    def add_course(self, course: Course) -> None:
        """Counts one patient and what happened to them."""
        person, stay = course.person, course.stay
        self.years += (stay.end - stay.inclusion).days / _YEAR
        self.ages[person.female].append((figures.SNAPSHOT - person.birth_date).days / _YEAR)
        groups = {
            "all": True,
            "mental-health": stay.motive == "mental-health",
            "anonymous": person.identity == "anonymous",
            "unqualified": person.identity == "provisional",
            "minor": person.guardian is not None,
            "injecting": any(use.route == "injected" for use in course.uses),
            "tso": any(treatment.disease is None for treatment in course.treatments),
            "vaccinated": bool(course.vaccinations),
            "fibroscan": bool(course.fibroscans),
            "quarterly": has_meeting_every_quarter(course),
        }
        self.patients.update(group for group, belongs in groups.items() if belongs)
        self.users.update({use.substance for use in course.uses})
        self.acts.update(contact.professional.role for contact in course.contacts)
        self.acts["meeting"] += len(course.meetings)
        self.screenings.update(screening.infection for screening in course.screenings if screening.result)
        self.proposed += sum(screening.infection == "hiv" for screening in course.screenings)
        if course.exit:
            self.exits[course.exit.reason] += 1

    def share(self, group: str) -> float:
        """Returns the share of patients in this group."""
        return self.patients[group] / self.patients["all"]

    def mean_age(self, *, female: bool | None = None) -> float:
        """Returns the mean age on the day of the snapshot."""
        ages = [*self.ages[True], *self.ages[False]] if female is None else self.ages[female]
        return fmean(ages) if ages else 0.0


def has_meeting_every_quarter(course: Course) -> bool:
    """True where every full calendar quarter between inclusion and end has an RCP."""
    held = {_quarter(meeting.day.year, meeting.day.month) for meeting in course.meetings}
    first = _quarter(course.stay.inclusion.year, course.stay.inclusion.month) + 1
    last = _quarter(course.stay.end.year, course.stay.end.month)
    return all(quarter in held for quarter in range(first, last))


def _quarter(year: int, month: int) -> int:
    return year * 4 + (month - 1) // 3


def build_summary(tally: Tally, networks: Iterable[Network], *, national: bool) -> str:
    """Returns the tables as text; with `national`, the column of the documents' figures."""
    microstructures: Counter[str] = Counter()
    count = 0
    for network in networks:
        microstructures[network.region.code] += len(network.microstructures)
        count += 1
    sections = [
        ("Réseaux et microstructures · networks", list(_network_rows(microstructures, count, national=national))),
        ("Patients", list(_patient_rows(tally, national=national))),
        ("Produits, part des patients · substances", list(_substance_rows(tally))),
        ("Actes par patient et an · acts", list(_act_rows(tally))),
        ("Dépistage et traitements · screening", list(_screening_rows(tally))),
        ("Fins de suivi · exits", [(reason, str(number), "") for reason, number in tally.exits.most_common()]),
        ("Ressources · resources", [(kind, f"{number:,}", "") for kind, number in tally.resources.most_common()]),
    ]
    total = sum(tally.resources.values())
    lines = [f"{'':42}{'ici · here':>14}{'documents':>14}"]
    for title, rows in sections:
        if rows:
            lines.append(f"\n{title}")
            lines += [f"  {label:40}{value:>14}{wanted:>14}" for label, value, wanted in rows]
    lines.append(f"\n{total:,} ressources, {tally.years:,.0f} années-patient · {total:,} resources".replace(",", " "))
    return "\n".join(lines)


def _network_rows(microstructures: Counter[str], networks: int, *, national: bool) -> Iterable[tuple[str, str, str]]:
    yield "réseaux", str(networks), str(figures.NETWORKS) if national else ""
    for region, number in microstructures.items():
        yield f"microstructures {region}", str(number), str(figures.MICROSTRUCTURES[region]) if national else ""
    wanted = str(sum(figures.MICROSTRUCTURES.values())) if national else ""
    yield "microstructures", str(microstructures.total()), wanted


def _patient_rows(tally: Tally, *, national: bool) -> Iterable[tuple[str, str, str]]:
    everyone, mental = tally.patients["all"], tally.patients["mental-health"]
    yield "addiction, précarité", str(everyone - mental), str(figures.PATIENTS) if national else ""
    yield "santé mentale", str(mental), str(figures.MENTAL_HEALTH_PATIENTS) if national else ""
    yield "femmes", f"{len(tally.ages[True]) / everyone:.0%}", f"{figures.WOMEN:.0%}"
    ages = figures.NATIONAL_AGE
    yield "âge moyen", f"{tally.mean_age():.1f}", str(ages["all"])
    yield "âge moyen des femmes", f"{tally.mean_age(female=True):.1f}", str(ages["female"])
    yield "âge moyen des hommes", f"{tally.mean_age(female=False):.1f}", str(ages["male"])
    yield "mineurs avec représentant légal", str(tally.patients["minor"]), ""
    yield "anonymes", str(tally.patients["anonymous"]), ""
    yield "INS non qualifiée", str(tally.patients["unqualified"]), ""


def _substance_rows(tally: Tally) -> Iterable[tuple[str, str, str]]:
    ranks = {substance: f"rang {rank}" for rank, substance in enumerate(figures.SUBSTANCE_RANKING, 1)}
    for substance, users in tally.users.most_common(_SUBSTANCES_SHOWN):
        share = users / tally.patients["all"]
        yield _SUBSTANCE_LABELS.get(substance, substance), f"{share:.0%}", ranks.get(substance, "")


def _act_rows(tally: Tally) -> Iterable[tuple[str, str, str]]:
    for role, label in _ROLE_LABELS.items():
        wanted = figures.ACTS_PER_YEAR[role] if role != "psychiatrist" else None
        yield label, f"{tally.acts[role] / tally.years:.1f}", f"{wanted:.1f}" if wanted else ""
    yield "RCP", f"{tally.acts['meeting'] / tally.years:.1f}", f"≥ 4, {figures.MEETINGS_PER_YEAR:.0f}"
    yield "patients avec une RCP chaque trimestre", f"{tally.share('quarterly'):.0%}", "100%"


def _screening_rows(tally: Tally) -> Iterable[tuple[str, str, str]]:
    for infection, label in _INFECTION_LABELS.items():
        share = tally.screenings[infection] / tally.proposed
        yield f"dépistages {label} faits, des proposés", f"{share:.0%}", f"{figures.SCREENING_DONE:.0%}"
    yield "usagers injecteurs", f"{tally.share('injecting'):.0%}", ""
    yield "Fibroscan", f"{tally.share('fibroscan'):.0%}", ""
    yield "vaccinés VHB", f"{tally.share('vaccinated'):.0%}", f"{figures.HBV_VACCINATION:.0%}"
    yield "TSO", f"{tally.share('tso'):.0%}", ""
