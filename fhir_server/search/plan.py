"""Criteria → SearchPlan: which clauses an index answers, and which are checked on what it finds.

| Index (see `index.MONGODB_INDEXES`) | Taken for                                                            |
|-------------------------------------|----------------------------------------------------------------------|
| `_id`                               | `_id=…`, and reverse chains that few resources fulfil                |
| `_id` and `at`                      | candidates that the postings name (`candidates`)                     |
| `k, date, _id`                      | clauses with whole keys; the most telling one goes first, a patient  |
|                                     | together with a token (`index.entries.PAIRED`) before all others     |
| left to MongoDB                     | ranges: dates, numbers, beginnings of strings, `system|`             |
| `date, _id`                         | nothing that narrows: the default order is read, the rest is checked |

Relations to other resources come looked up (`resolve`): as keys or ids where few resources fulfil them, else as stages
that join those resources to what the rest finds.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from fhir_server.index.entries import LONGEST_KEY, pair_conditions
from fhir_server.search.candidates import BY_TERMS, candidates_in
from fhir_server.search.conditions import Asked, ask
from fhir_server.search.criteria import All, Chain, Clause, Resolved, resolved_in
from fhir_server.search.sort import DEFAULT_ORDER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fhir_server.index import SearchParameter, SearchParameterRegistry
    from fhir_server.search.candidates import Candidates
    from fhir_server.search.criteria import Criterion
    from fhir_server.search.request import SearchRequest, SortKey

BY_KEY = (("k", 1), ("date", -1), ("_id", 1))
BY_DATE = (("date", -1), ("_id", 1))

Hint = tuple[tuple[str, int], ...]

# Of clauses with whole keys, those that tend to leave least come first.
_RANKS = {"reference": 2, "uri": 2, "string": 3, "token": 4}
_OF_FEW_CODES = 6
_MOST_BEGINNINGS = 10
# Room for the id of a patient in a key beside the token.
_WHOLE = LONGEST_KEY - 70


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """`scans` are answered by a MongoDB index, the most telling first; `filters` are checked on what the scans return,
    `joins` on what other collections hold beside it.

    `also` are conditions from elsewhere. `pair` are keys of which every match has one: of one patient and a token;
    `hint` is the index to take, None leaves it to MongoDB. `is_narrow` means that the scans leave few documents.

    `beginning` is the clause to begin with that asks for strings by their beginning, where nothing else leaves few.
    `candidates` are known besides; `place`, a MongoDB condition, is where they lie. Without it, they are looked at in
    turn, or all documents are read in order.
    """

    scans: tuple[Asked, ...]
    filters: tuple[Asked, ...]
    joins: tuple[Asked, ...] = ()
    also: tuple[dict[str, Any], ...] = ()
    pair: tuple[str, ...] = ()
    hint: Hint | None = None
    is_narrow: bool = False
    beginning: Clause | None = None
    candidates: Candidates | None = field(default=None, compare=False)
    place: dict[str, Any] | None = None
    is_in_turn: bool = False

    @property
    def reads_all(self) -> bool:
        """True where no index leads to some documents."""
        return not (self.scans or self.also or self.place)

    def within(self, place: dict[str, Any]) -> SearchPlan:
        """Returns the plan that looks only at what a MongoDB condition, on ids and instants, holds for."""
        scans, filters = self._by_candidates()
        return replace(self, scans=scans, filters=filters, hint=None, pair=(), place=place, is_in_turn=False)

    def in_turn(self) -> SearchPlan:
        """Returns the plan that looks at the candidates in turn, until the page is full."""
        return replace(self, is_in_turn=True)

    def through(self) -> SearchPlan:
        """Returns the plan that reads all documents in order."""
        return replace(self, is_in_turn=False)

    def _by_candidates(self) -> tuple[tuple[Asked, ...], tuple[Asked, ...]]:
        asked = (*self.scans, *self.filters)
        leading = [each for each in asked if candidates_in(each.criterion) is not None]
        return tuple(leading), tuple(each for each in asked if each not in leading)

    def explain(self) -> str:
        """Returns the line shown for `_explain=true`, such as `scan code; filter date, status`."""
        parts = self._by_candidates() if self.is_in_turn else (self.scans, self.filters)
        scans, filters = (", ".join(map(str, asked)) or "nothing" for asked in parts)
        joins = f"; join {', '.join(map(str, self.joins))}" if self.joins else ""
        found = [each for asked in (*self.scans, *self.filters, *self.joins) for each in resolved_in(asked.criterion)]
        notes = "".join(f"; {each}: {self._note(each)}" for each in found)
        return f"scan {scans}; filter {filters}{joins}{notes}"

    def _note(self, found: Resolved) -> str:
        if found.candidates is None or not (self.place or self.is_in_turn):
            return found.note
        return f"{BY_TERMS}, in turn" if self.is_in_turn else BY_TERMS


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
    planned = _planned(asked, registry, order, also)
    beginning = None if planned.is_narrow else _beginning(asked, registry)
    return replace(planned, candidates=candidates_in(All(tuple(criteria))), beginning=beginning)


def _planned(
    asked: list[Asked], registry: SearchParameterRegistry, order: Sequence[SortKey], also: tuple[dict[str, Any], ...]
) -> SearchPlan:
    narrowing = [each for each in asked if each.narrows]
    by_id = [each for each in narrowing if each.is_by_id]
    if by_id:
        return replace(_plan(by_id, asked, also), is_narrow=True)
    whole = [each for each in narrowing if each.is_by_key]
    if whole:
        patient, contained = next((found for each in whole if (found := _patient(each, registry))), (None, ()))
        whole.sort(key=lambda each: _rank(each, registry))
        pair = _pairs(patient, whole, contained) if patient else ()
        # In another order than the index has, many matches come sooner by an index of that order: MongoDB tries both.
        is_ordered = not order or order[0].field == "date"
        by_key = _plan(whole, asked, also, pair, BY_KEY if is_ordered and not also else None)
        return replace(by_key, is_narrow=bool(also) or _rank(whole[0], registry) <= _RANKS["reference"])
    if narrowing or also:
        return replace(_plan(narrowing, asked, also), is_narrow=bool(also))
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


def _beginning(asked: list[Asked], registry: SearchParameterRegistry) -> Clause | None:
    """Returns the clause for the beginning of strings, the longest, where others hardly narrow what is searched."""
    found: list[Clause] = []
    for each in asked:
        clause = each.criterion
        if each.narrows and isinstance(clause, Clause) and clause.parameter.type == "string" and not clause.modifier:
            found.append(clause)
        elif each.narrows and not (each.is_by_key and _rank(each, registry) >= _OF_FEW_CODES):
            return None
    found = [clause for clause in found if len(clause.values) <= _MOST_BEGINNINGS]
    return max(found, key=lambda clause: min(len(value.text) for value in clause.values), default=None)


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
        return _OF_FEW_CODES
    return _RANKS.get(parameter.type, 5)
