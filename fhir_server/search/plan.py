"""Criteria → SearchPlan: which clauses an index answers, and which are checked on what it finds.

| Index (see `index.MONGODB_INDEXES`) | Taken for                                                            |
|-------------------------------------|----------------------------------------------------------------------|
| `_id`                               | `_id=…`, and reverse chains that few resources fulfil                |
| `_id` and `at`                      | texts of which the postings know few candidates (`candidates`)       |
| `k, date, _id`                      | clauses with whole keys; the most telling one goes first, a patient  |
|                                     | together with a token (`index.entries.PAIRED`) before all others     |
| left to MongoDB                     | ranges: dates, numbers, beginnings of strings, `system|`             |
| `date, _id`                         | nothing that narrows: the default order is read, the rest is checked |

Relations to other resources come looked up (`resolve`): as keys or ids where few resources fulfil them, else as stages
that join those resources to what the rest finds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fhir_server.index.entries import LONGEST_KEY, pair_conditions
from fhir_server.search.conditions import Asked, ask
from fhir_server.search.criteria import All, Chain, Clause, Resolved, resolved_in
from fhir_server.search.sort import DEFAULT_ORDER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fhir_server.index import SearchParameter, SearchParameterRegistry
    from fhir_server.search.criteria import Criterion
    from fhir_server.search.request import SearchRequest, SortKey

BY_KEY = (("k", 1), ("date", -1), ("_id", 1))
BY_DATE = (("date", -1), ("_id", 1))

Hint = tuple[tuple[str, int], ...]

# Of clauses with whole keys, those that tend to leave least come first.
_RANKS = {"reference": 2, "uri": 2, "string": 3, "token": 4}
# Room for the id of a patient in a key beside the token.
_WHOLE = LONGEST_KEY - 70


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """`scans` are answered by a MongoDB index, the most telling first; `filters` are checked on what the scans return,
    `joins` on what other collections hold beside it.

    `also` are conditions from elsewhere. `pair` are keys of which every match has one: of one patient and a token;
    `hint` is the index to take, None leaves it to MongoDB.
    """

    scans: tuple[Asked, ...]
    filters: tuple[Asked, ...]
    joins: tuple[Asked, ...] = ()
    also: tuple[dict[str, Any], ...] = ()
    pair: tuple[str, ...] = ()
    hint: Hint | None = None

    @property
    def is_limited(self) -> bool:
        """True where part of it would be answered otherwise if more might be looked at."""
        asked = (*self.scans, *self.filters, *self.joins)
        return bool(self.joins) or any(found.is_limited for each in asked for found in resolved_in(each.criterion))

    def explain(self) -> str:
        """Returns the line shown for `_explain=true`, such as `scan code; filter date, status`."""
        scans, filters = (", ".join(map(str, asked)) or "nothing" for asked in (self.scans, self.filters))
        joins = f"; join {', '.join(map(str, self.joins))}" if self.joins else ""
        found = [each for asked in (*self.scans, *self.filters, *self.joins) for each in resolved_in(asked.criterion)]
        notes = "".join(f"; {each}: {each.note}" for each in found)
        return f"scan {scans}; filter {filters}{joins}{notes}"


def plan(request: SearchRequest, registry: SearchParameterRegistry) -> SearchPlan:
    """Returns how a request without relations is answered. Raises InvalidContent for values that are none of their
    type.
    """
    return plan_criteria(request.clauses, registry, order=request.order)


def plan_criteria(
    criteria: Sequence[Criterion],
    registry: SearchParameterRegistry,
    *,
    order: Sequence[SortKey] = DEFAULT_ORDER,
    also: tuple[dict[str, Any], ...] = (),
) -> SearchPlan:
    """Returns how resources are found that fulfil all criteria, whose relations have been looked up, and `also`."""
    asked = [ask(each, registry) for each in _apart(criteria)]
    narrowing = [each for each in asked if each.narrows]
    by_id = [each for each in narrowing if each.is_by_id]
    if by_id:
        return _plan(by_id, asked, also)
    by_terms = [each for each in narrowing if each.is_by_terms]
    if by_terms:
        return _plan(by_terms, asked, also)
    whole = [each for each in narrowing if each.is_by_key]
    if whole:
        patient, contained = next((found for each in whole if (found := _patient(each, registry))), (None, ()))
        whole.sort(key=lambda each: _rank(each, registry))
        pair = _pairs(patient, whole, contained) if patient else ()
        # In another order than the index has, many matches come sooner by an index of that order: MongoDB tries both.
        is_ordered = not order or order[0].field == "date"
        return _plan(whole, asked, also, pair, BY_KEY if is_ordered and not also else None)
    if narrowing or also:
        return _plan(narrowing, asked, also)
    return _plan([], asked, also, hint=BY_DATE if tuple(order) == DEFAULT_ORDER else None)


def paired_tokens(planned: SearchPlan) -> tuple[str, ...]:
    """Returns tokens of which each match has one, indexed together with its patient; none if there are none.

    Keys that would be cut are left alone.
    """
    tokens = [key.removeprefix("@|") for key in _pair("", [each for each in planned.scans if each.is_by_key])]
    return tuple(tokens) if all(len(token) < _WHOLE for token in tokens) else ()


def _apart(criteria: Iterable[Criterion]) -> Iterator[Criterion]:
    """Yields criteria one by one that have to hold together."""
    for each in criteria:
        if isinstance(each, All):
            yield from _apart(each.criteria)
        else:
            yield each


def _plan(
    scans: list[Asked],
    asked: list[Asked],
    also: tuple[dict[str, Any], ...],
    pair: tuple[str, ...] = (),
    hint: Hint | None = None,
) -> SearchPlan:
    others = [each for each in asked if each not in scans]
    return SearchPlan(
        tuple(scans),
        tuple(each for each in others if not each.is_joined),
        tuple(each for each in others if each.is_joined),
        also,
        pair,
        hint,
    )


def _pair(patient: str, whole: list[Asked]) -> tuple[str, ...]:
    """Returns the keys of this patient with the first clause that is paired, nothing where none is."""
    for each in whole:
        is_plain = isinstance(each.criterion, Clause) and each.criterion.modifier is None
        if is_plain and (keys := pair_conditions(patient, each.condition)):
            return keys
    return ()


def _pairs(patient: str, whole: list[Asked], contained: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the keys of this patient with the first clause that is paired, and those of contained patients."""
    pairs = _pair(patient, whole)
    return (*pairs, *contained) if pairs else ()


def _patient(asked: Asked, registry: SearchParameterRegistry) -> tuple[str, tuple[str, ...]] | None:
    """Returns the id of the patient that every match belongs to, if there is one, but for the matches with a contained
    patient, which have one of the keys.
    """
    parameter = _parameter(asked)
    if parameter is None or not registry.is_patient(parameter):
        return None
    contained = tuple(key for key in asked.condition.keys if "#" in key.partition("=")[0])
    targets = [key.partition("=")[2] for key in asked.condition.keys if key not in contained]
    if len(targets) == 1 and targets[0].startswith("Patient/"):
        return targets[0][len("Patient/") :], contained
    return None


def _parameter(asked: Asked) -> SearchParameter | None:
    """Returns the parameter that the keys are values of, or None."""
    match asked.criterion:
        case Clause(modifier=modifier, parameter=parameter) if modifier != "identifier":
            return parameter
        case Resolved(relation=Chain(parameter=parameter)):
            return parameter
    return None


def _rank(asked: Asked, registry: SearchParameterRegistry) -> int:
    parameter = _parameter(asked)
    if isinstance(asked.criterion, Clause) and (
        asked.criterion.modifier == "identifier" or asked.criterion.parameter.types == {"Identifier"}
    ):
        return 0
    if parameter is None:
        return 5
    if registry.is_patient(parameter):
        return 1
    if parameter.types and parameter.types <= {"code", "boolean"}:
        return 6
    return _RANKS.get(parameter.type, 5)
