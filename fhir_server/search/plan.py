"""SearchRequest → SearchPlan: which clauses an index answers, and which are checked on what it finds.

| Index (see `index.MONGODB_INDEXES`) | Taken for                                                            |
|-------------------------------------|----------------------------------------------------------------------|
| `_id`                               | `_id=…`                                                              |
| `k, date, _id`                      | clauses with whole keys; the most telling one goes first, a patient  |
|                                     | together with a token (`index.entries.PAIRED`) before all others     |
| left to MongoDB                     | ranges: dates, numbers, beginnings of strings, `system|`             |
| `date, _id`                         | nothing that narrows: the default order is read, the rest is checked |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fhir_server.index import NEGATIONS
from fhir_server.index.entries import pair_conditions
from fhir_server.search.query import clause_condition
from fhir_server.search.sort import DEFAULT_ORDER

if TYPE_CHECKING:
    from fhir_server.index import Condition, SearchParameterRegistry
    from fhir_server.search.request import Clause, SearchRequest

BY_KEY = (("k", 1), ("date", -1), ("_id", 1))
BY_DATE = (("date", -1), ("_id", 1))

Hint = tuple[tuple[str, int], ...]
_Asked = tuple["Clause", "Condition"]

# Of clauses with whole keys, those that tend to leave least come first.
_RANKS = {"reference": 2, "uri": 2, "string": 3, "token": 4}


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """`scans` are answered by a MongoDB index, the most telling first; `filters` are checked on what the scans return.

    `conditions` are what the scans, then the filters ask of the index document, before `:not` and `:missing=true`.
    `pair` are keys of which every match has one: of one patient and a token; `hint` is the index to take, None leaves
    it to MongoDB.
    """

    scans: tuple[Clause, ...]
    filters: tuple[Clause, ...]
    conditions: tuple[Condition, ...] = ()
    pair: tuple[str, ...] = ()
    hint: Hint | None = None

    def explain(self) -> str:
        """Returns the line shown for `_explain=true`, such as `scan code; filter date, status`."""
        scans, filters = (", ".join(map(str, clauses)) or "nothing" for clauses in (self.scans, self.filters))
        return f"scan {scans}; filter {filters}"


def plan(request: SearchRequest, registry: SearchParameterRegistry) -> SearchPlan:
    """Returns how the request is answered. Raises InvalidContent for values that are none of their type."""
    asked = [(clause, clause_condition(clause, registry)) for clause in request.clauses]
    positive = [each for each in asked if each[0].modifier not in NEGATIONS | {"missing"}]
    by_id = [each for each in positive if each[0].parameter.code == "_id"]
    if by_id:
        return _plan(by_id, asked)
    whole = [each for each in positive if each[1].keys and not each[1].others]
    if whole:
        patient = next((found for each in whole if (found := _patient(*each, registry))), None)
        whole.sort(key=lambda each: _rank(each[0], registry))
        return _plan(whole, asked, _pair(patient, whole) if patient else (), BY_KEY)
    if positive:
        return _plan(positive, asked)
    return _plan([], asked, hint=BY_DATE if request.order == DEFAULT_ORDER else None)


def _plan(scans: list[_Asked], asked: list[_Asked], pair: tuple[str, ...] = (), hint: Hint | None = None) -> SearchPlan:
    filters = [each for each in asked if each not in scans]
    return SearchPlan(
        tuple(clause for clause, _ in scans),
        tuple(clause for clause, _ in filters),
        tuple(condition for _, condition in (*scans, *filters)),
        pair,
        hint,
    )


def _pair(patient: str, whole: list[_Asked]) -> tuple[str, ...]:
    """Returns the keys of this patient with the first clause that is paired, nothing where none is."""
    for clause, condition in whole:
        if clause.modifier is None and (keys := pair_conditions(patient, condition)):
            return keys
    return ()


def _patient(clause: Clause, condition: Condition, registry: SearchParameterRegistry) -> str | None:
    """Returns the id of the patient that every match of the clause belongs to, if there is one."""
    if clause.modifier == "identifier" or not registry.is_patient(clause.parameter):
        return None
    targets = [key.partition("=")[2] for key in condition.keys]
    if len(targets) == 1 and targets[0].startswith("Patient/"):
        return targets[0][len("Patient/") :]
    return None


def _rank(clause: Clause, registry: SearchParameterRegistry) -> int:
    parameter = clause.parameter
    if parameter.types == {"Identifier"} or clause.modifier == "identifier":
        return 0
    if registry.is_patient(parameter):
        return 1
    if parameter.types and parameter.types <= {"code", "boolean"}:
        return 6
    return _RANKS.get(parameter.type, 5)
