"""Hypothesis strategies of small worlds: a few resources of each kind that refer to each other.

They are valid R4, within what search can tell apart: accents, hyphens, separators of the query language, days on
which clocks change, decimals with their precision, several systems, references of every shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from hypothesis import strategies as st

from tests.oracle.pools import (
    URLS,
    Json,
    addresses,
    codings,
    concepts,
    days,
    few,
    human_names,
    identifiers,
    instants,
    moments,
    names,
    numbers,
    periods,
    quantities,
    references,
    some,
    telecoms,
    timings,
)

SIZES: Mapping[str, int] = {
    "Patient": 4,
    "Organization": 3,
    "Practitioner": 2,
    "PractitionerRole": 2,
    "Location": 3,
    "Encounter": 3,
    "CareTeam": 2,
    "Condition": 3,
    "Observation": 6,
    "ServiceRequest": 2,
    "RiskAssessment": 2,
    "Questionnaire": 3,
    "QuestionnaireResponse": 3,
    "List": 1,
}
"""How many resources of a type a world has at most."""

_values = st.one_of(
    st.just({}),
    quantities.map(lambda found: {"valueQuantity": found}),
    concepts.map(lambda found: {"valueCodeableConcept": found}),
    names.map(lambda found: {"valueString": found}),
    moments.map(lambda found: {"valueDateTime": found}),
)
# The code of a component must not be that of the whole (obs-7).
_parts = st.sampled_from(("a", "A", "k|1")).map(
    lambda code: {"coding": [{"system": "http://parts.example", "code": code}]}
)
_components = st.tuples(st.fixed_dictionaries({"code": _parts}), _values).map(lambda parts: {**parts[0], **parts[1]})
_effective = st.one_of(
    st.just({}),
    moments.map(lambda found: {"effectiveDateTime": found}),
    periods().map(lambda found: {"effectivePeriod": found}),
    instants.map(lambda found: {"effectiveInstant": found}),
    timings.map(lambda found: {"effectiveTiming": found}),
)
_tags = st.fixed_dictionaries({"tag": few(codings)})


def worlds() -> st.SearchStrategy[list[Json]]:
    """Returns lists of resources, each type before those that refer to it as far as that is possible."""
    wanted = st.fixed_dictionaries({name: st.integers(1, most) for name, most in SIZES.items()})
    return wanted.flatmap(_world)


def _world(sizes: Mapping[str, int]) -> st.SearchStrategy[list[Json]]:
    ids = {name: [f"{name}/{name[:3].lower()}{number}" for number in range(size)] for name, size in sizes.items()}
    kinds = _kinds(ids)
    each = [
        st.builds(_named, st.just(name), st.just(text), kinds[name]) for name, texts in ids.items() for text in texts
    ]
    return st.tuples(*each).map(list)


def _named(resource_type: str, text: str, content: Json) -> Json:
    return {"resourceType": resource_type, "id": text.partition("/")[2], **content}


def _kinds(ids: Mapping[str, list[str]]) -> Mapping[str, st.SearchStrategy[Json]]:
    patients, organizations = references(*ids["Patient"]), references(*ids["Organization"])
    practitioners, encounters = references(*ids["Practitioner"]), references(*ids["Encounter"])
    locations, observations = references(*ids["Location"]), references(*ids["Observation"])
    anyone = references(*ids["Patient"], *ids["Practitioner"], *ids["Organization"])
    carers = references(*ids["Practitioner"], *ids["PractitionerRole"], *ids["Organization"])
    return {
        "Patient": some(
            {},
            meta=_tags,
            identifier=few(identifiers),
            active=st.booleans(),
            name=few(human_names),
            telecom=few(telecoms),
            gender=st.sampled_from(("male", "female", "unknown")),
            birthDate=days,
            address=few(addresses),
            deceasedBoolean=st.booleans(),
            generalPractitioner=few(carers),
            managingOrganization=organizations,
        ),
        "Organization": some(
            {},
            name=names,
            alias=few(names),
            identifier=few(identifiers),
            partOf=organizations,
            type=few(concepts),
            active=st.booleans(),
        ).map(lambda found: found if found.keys() & {"name", "identifier"} else {**found, "name": "Maison"}),
        "Practitioner": some({}, identifier=few(identifiers), name=few(human_names), telecom=few(telecoms)),
        "PractitionerRole": some(
            {},
            practitioner=practitioners,
            organization=organizations,
            location=few(locations),
            code=few(concepts),
            specialty=few(concepts),
        ),
        "Location": some(
            {},
            name=names,
            status=st.sampled_from(("active", "inactive")),
            address=addresses,
            partOf=locations,
            managingOrganization=organizations,
            type=few(concepts),
        ),
        "Encounter": st.fixed_dictionaries(
            {"status": st.sampled_from(("planned", "finished")), "class": codings},
            optional={
                "subject": patients,
                "period": periods(),
                "type": few(concepts),
                "partOf": encounters,
                "serviceProvider": organizations,
                "participant": few(practitioners.map(lambda found: {"individual": found})),
                "length": numbers.map(
                    lambda number: {"value": abs(number), "system": "http://unitsofmeasure.org", "code": "min"}
                ),
                "location": few(locations.map(lambda found: {"location": found})),
            },
        ),
        "CareTeam": some(
            {},
            status=st.sampled_from(("active", "inactive")),
            subject=patients,
            encounter=encounters,
            period=periods(),
            name=names,
            participant=few(anyone.map(lambda found: {"member": found})),
            managingOrganization=few(organizations),
        ),
        "Condition": st.fixed_dictionaries(
            {"subject": patients},
            optional={
                "code": concepts,
                "onsetDateTime": moments,
                "recordedDate": moments,
                "encounter": encounters,
                "asserter": practitioners,
            },
        ),
        "Observation": st.tuples(
            st.fixed_dictionaries(
                {"status": st.sampled_from(("final", "amended")), "code": concepts},
                optional={
                    "category": few(concepts),
                    "subject": patients,
                    "encounter": encounters,
                    "performer": few(carers),
                    "component": few(_components),
                    "hasMember": few(observations),
                    "derivedFrom": few(observations),
                    "note": st.just([{"text": "Vu"}]),
                },
            ),
            _effective,
            _values,
        ).map(lambda parts: {name: each for part in parts for name, each in part.items()}),
        "ServiceRequest": st.tuples(
            st.fixed_dictionaries(
                {"status": st.sampled_from(("active", "draft")), "intent": st.just("order"), "subject": patients},
                optional={"code": concepts, "requester": carers, "performer": few(carers), "authoredOn": moments},
            ),
            st.one_of(
                timings.map(lambda found: {"occurrenceTiming": found}),
                moments.map(lambda found: {"occurrenceDateTime": found}),
                periods().map(lambda found: {"occurrencePeriod": found}),
            ),
        ).map(lambda parts: {**parts[0], **parts[1]}),
        "RiskAssessment": st.fixed_dictionaries(
            {"status": st.just("final"), "subject": patients},
            optional={
                "prediction": few(
                    st.sampled_from(("0", "0.1", "0.10", "5.4", "99.5", "100")).map(
                        lambda text: {"probabilityDecimal": Decimal(text)}
                    )
                ),
                "occurrencePeriod": periods(),
            },
        ),
        "Questionnaire": st.fixed_dictionaries(
            {"status": st.sampled_from(("draft", "active")), "url": st.sampled_from(URLS)},
            optional={
                "version": st.sampled_from(("1", "2")),
                "title": names,
                "name": st.just("Audit"),
                "publisher": names,
                "date": days,
                "effectivePeriod": periods(),
            },
        ),
        "QuestionnaireResponse": st.fixed_dictionaries(
            {"status": st.sampled_from(("completed", "amended"))},
            optional={
                "questionnaire": st.sampled_from((URLS[0], f"{URLS[0]}|1", f"{URLS[1]}|2", URLS[2])),
                "subject": patients,
                "encounter": encounters,
                "author": practitioners,
                "authored": moments,
            },
        ),
        "List": st.fixed_dictionaries(
            {"status": st.just("current"), "mode": st.just("working")},
            optional={
                "code": concepts,
                "title": names,
                "entry": few(references(*ids["Patient"], *ids["Observation"]).map(lambda found: {"item": found})),
            },
        ),
    }
