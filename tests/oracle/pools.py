"""Small pools that generated resources draw from, so that values meet: names, codes, dates, numbers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from tests.oracle.references import BASE_URL

Json = dict[str, Any]

NAMES = (
    *("Dupont", "dupont", "Dupond", "D'Orgeval", "d’Orgeval", "Saint-Exupéry", "Saint Exupery", "de la Tour"),
    *(
        "Œuvrard",
        "Oeuvrard",
        "Zoé",
        "ZOÉ",
        "Jean-Noël",
        "Weiß",
        "Łukasz",
        "Nguyễn",
        "A,B",
        "x|y",
        "a$b",
        "c\\d",
        "^a.*",
    ),
)
SYSTEMS = ("http://a.example/cs", "http://a.example/cs/below", "urn:oid:1.2.250.1.213")
CODES = ("a", "A", "ab", "b-1", "c,d", "e|f", "g$h", "i\\j")
DISPLAYS = ("Tension artérielle", "tension veineuse", "Pouls", "Étage")
DAYS = (
    *("1956", "1957-03", "1957-03-31", "2024", "2024-02", "2024-02-29", "2024-03-30", "2024-03-31", "2024-10-27"),
    *("2024-12-31", "2025", "2025-01-01"),
)
TIMES = (
    *("2024-03-31T00:00:00+01:00", "2024-03-31T01:59:59Z", "2024-03-31T03:00:00+02:00", "2024-10-27T02:30:00+02:00"),
    *("2024-10-27T02:30:00+01:00", "2024-10-27T00:30:00.000Z", "2024-12-31T23:00:00Z", "2025-01-01T00:30:00.123+14:00"),
    *("2024-02-29T12:00:00-05:00", "2024-02-28T23:59:59.999Z"),
)
NUMBERS = tuple(map(Decimal, ("5", "5.0", "5.40", "5.4", "100", "100.00", "99.5", "120", "0", "0.0001", "-3", "0.005")))
UNITS: tuple[Json, ...] = (
    {},
    {"unit": "mg"},
    {"unit": "comprimés"},
    {"system": "http://unitsofmeasure.org", "code": "mg", "unit": "mg"},
    {"system": "http://unitsofmeasure.org", "code": "g"},
    {"system": "http://unitsofmeasure.org", "code": "mm[Hg]", "unit": "mmHg"},
    {"system": "http://unitsofmeasure.org", "code": "kPa"},
    {"system": "http://unitsofmeasure.org", "code": "ug/kg"},
    {"system": "http://unitsofmeasure.org", "code": "%", "unit": "%"},
    {"system": "urn:oid:1.2.250.1.213", "code": "mg"},
)
URLS = (
    "http://q.example/fhir/Questionnaire/audit",
    "http://q.example/fhir/Questionnaire/audit/short",
    "urn:oid:1.2.3.4",
)

names = st.sampled_from(NAMES)
codes = st.sampled_from(CODES)
days = st.sampled_from(DAYS)
whole_days = st.sampled_from([day for day in DAYS if len(day) == 10])
moments = st.sampled_from((*DAYS, *TIMES))
numbers = st.sampled_from(NUMBERS)
instants = st.sampled_from(TIMES)


def some(required: Json, **optional: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    """Returns objects with the required content and any of the optional; empty lists and objects are left out."""
    drawn = st.fixed_dictionaries({}, optional=optional)
    return drawn.map(lambda found: {**required, **{name: each for name, each in found.items() if each not in ([], {})}})


def few(elements: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """Returns one or two of what repeats."""
    return st.lists(elements, min_size=1, max_size=2)


codings = st.fixed_dictionaries(
    {"code": codes}, optional={"system": st.sampled_from(SYSTEMS), "display": st.sampled_from(DISPLAYS)}
)
concepts = st.one_of(
    some({}, coding=few(codings), text=st.sampled_from(DISPLAYS)).filter(bool),
    few(codings).map(lambda found: {"coding": found}),
)
identifiers = st.fixed_dictionaries(
    {"value": st.sampled_from(("1", "2", "a1", "A1", "x|y"))},
    optional={
        "system": st.sampled_from(SYSTEMS),
        "type": st.fixed_dictionaries({"coding": few(codings)}, optional={"text": st.sampled_from(DISPLAYS)}),
    },
)
human_names = some({}, family=names, given=few(names), text=names).filter(bool)
addresses = some(
    {}, city=names, postalCode=st.sampled_from(("67000", "67 000", "2A004")), line=few(names), use=st.just("home")
).filter(bool)
telecoms = st.fixed_dictionaries(
    {
        "system": st.sampled_from(("phone", "email")),
        "value": st.sampled_from(("+33 3 88 00 00 00", "+33388000000", "a.b@c.example", "A.B@c.example")),
    },
    optional={"use": st.sampled_from(("home", "work"))},
)
quantities = st.tuples(numbers, st.sampled_from(UNITS), st.sampled_from((None, None, None, "<", ">="))).map(
    lambda drawn: {"value": drawn[0], **({"comparator": drawn[2]} if drawn[2] else {}), **drawn[1]}
)


def _in_order(period: Json) -> Json:
    start, end = period.get("start"), period.get("end")
    return {"start": end, "end": start} if start and end and end < start else period


def periods() -> st.SearchStrategy[Json]:
    """Returns periods that begin before they end, open or closed."""
    closed = st.fixed_dictionaries({"start": whole_days, "end": whole_days}).map(_in_order)
    return st.one_of(closed, closed, days.map(lambda day: {"start": day}), moments.map(lambda moment: {"end": moment}))


timings = st.one_of(
    few(moments).map(lambda found: {"event": found}),
    periods().map(lambda found: {"repeat": {"boundsPeriod": found}}),
)


def references(*targets: str) -> st.SearchStrategy[Json]:
    """Returns references to any of the targets (`Patient/p1`), or to nothing on this server."""
    here = st.sampled_from(targets).flatmap(
        lambda text: st.sampled_from((text, text, text, f"{BASE_URL}/{text}", f"{text}/_history/1"))
    )
    elsewhere = st.sampled_from((f"http://elsewhere.example/fhir/{targets[0]}", f"https://b.example/{targets[-1]}"))
    logical = st.fixed_dictionaries(
        {"type": st.just(targets[0].partition("/")[0]), "identifier": identifiers}, optional={"display": names}
    )
    return st.one_of(
        here.map(lambda text: {"reference": text}),
        here.map(lambda text: {"reference": text}),
        here.map(lambda text: {"reference": text}),
        elsewhere.map(lambda text: {"reference": text}),
        logical,
        names.map(lambda text: {"display": text}),
    )
