"""Composite search: where parts stand together, and conditions.

https://hl7.org/fhir/R4/search.html#composite

`component-code-value-quantity=8480-6$gt140` matches where one and the same component has that code and that value. Each
part is written as its own parameter writes it, prefix included; a backslash takes its meaning from `$`. Values between
commas are alternatives, each with all its parts. R4 has no modifiers here but `:missing`.

The parts are found through keys that their own parameters have already; that they stand together is checked in the
same query, on tuples that no index holds. Where the resource itself is the repetition no tuple is needed.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from fhir_server.errors import InvalidContent
from fhir_server.index import date, number, quantity, reference, string, token, uri
from fhir_server.index.entries import Condition, Draft, all_of, any_of, joined, split, split_prefix
from fhir_server.index.expressions import alternatives, is_single
from fhir_server.index.parameter import Home, Part, Repetition

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import ModuleType

    from fhir_server.index.entries import Write
    from fhir_server.index.parameter import SearchParameter, ValueContext

MODIFIERS = frozenset({"missing"})
PREFIXES: frozenset[str] = frozenset()

PART_TYPES: Mapping[str, ModuleType] = {
    "string": string,
    "token": token,
    "reference": reference,
    "date": date,
    "number": number,
    "quantity": quantity,
    "uri": uri,
}
"""Search parameter types that a part can have, and their modules."""

_OUTER = "%resource."
_RANGED = frozenset({"number", "quantity"})


def repetitions(
    resource_type: str, row: Mapping[str, Any], known: Mapping[str, SearchParameter]
) -> tuple[Repetition, ...]:
    """Returns where the parts of a composite parameter stand together in resources of this type.

    `row` has `expression` and `component`, as a SearchParameter; `known` are the parameters of the type. Nothing where
    an expression is not a plain path, or a part is no parameter of the type: then it cannot be searched.
    """
    by_url = {parameter.url: parameter for parameter in known.values()}
    found: list[Repetition] = []
    for base in row["expression"].split("|"):
        base = base.strip()
        if base.partition(".")[0] != resource_type:
            continue
        keys = _base_keys(base, resource_type)
        components = row.get("component", ())
        if keys is None or len(components) < 2:
            return ()
        definitions = [by_url.get(component["definition"]) for component in components]
        parts = []
        for component, definition in zip(components, definitions, strict=True):
            # R4's DocumentReference-relationship has the definitions of its two parts the wrong way round.
            for candidate in (definition, *definitions):
                part = candidate and _part(resource_type, base, keys, component["expression"], candidate, known)
                if part:
                    parts.append(part)
                    break
        if len(parts) < len(components):
            return ()
        found.append(Repetition(keys, tuple(parts)))
    return tuple(found)


class _Together(Draft):
    """The entries of one repetition: nothing of it is sorted by, nor looked for by its text."""

    __slots__ = ()

    def check(self, code: str, entry: str) -> None:
        """Leaves it out."""

    def sortable(self, code: str, low: Any, high: Any) -> None:
        """Leaves it out."""


def writer(repetition_name: str, write_parts: Write) -> Write:
    """Returns what adds the tuple of one repetition; `write_parts` writes the entries of its parts to a draft."""

    def write_tuple(draft: Draft, value: Any) -> None:
        together = _Together()
        write_parts(together, value)
        found: dict[str, Any] = {}
        if together.keys:
            found["k"] = list(together.keys)
        if together.dates:
            found["d"] = together.dates
        if together.numbers:
            found["n"] = together.numbers
        if found:
            draft.tuples.setdefault(repetition_name, []).append(found)

    return write_tuple


def part_writer(part: Part, type_name: str, context: ValueContext) -> Write:
    """Returns what adds the entries of one value of a part to a tuple."""
    made: Write = PART_TYPES[part.parameter.type].writer(_apart(part.parameter), type_name, context)
    return made


@cache
def _apart(parameter: SearchParameter) -> SearchParameter:
    """Returns a parameter as its values stand in tuples, where there is no need to spare keys."""
    return replace(parameter, homes=(Home(parameter.code),))


def condition(parameter: SearchParameter, _modifier: str | None, value: str, context: ValueContext) -> Condition:
    """Returns the condition of one search value.

    Raises InvalidContent for another number of parts than the parameter has, and for a part that is none of its type.
    """
    texts = split(value, "$")
    names = [part.parameter.code for part in parameter.repetitions[0].parts]
    if len(texts) != len(names) or not all(texts):
        shape = "$".join(names)
        raise InvalidContent(
            f"`{parameter.code}={value}` is not `{shape}`: {len(names)} parts joined by `$` are expected.",
            f"`{parameter.code}={value}` n'est pas `{shape}` : {len(names)} parties jointes par `$` sont attendues.",
            rule="composite-invalid",
        )
    return any_of(_condition(repetition, texts, context) for repetition in parameter.repetitions)


def present(parameter: SearchParameter) -> tuple[dict[str, Any], ...]:
    """Returns the conditions, one of which holds where the parameter has a value."""
    found = []
    for repetition in parameter.repetitions:
        asked = [
            tuple(
                Condition(others=PART_TYPES[each.type].present(each))
                for each in (part.parameter, _apart(part.parameter))
            )
            for part in repetition.parts
        ]
        found.append(_together(repetition, asked).mongodb())
    return tuple(found)


def other_units(parameter: SearchParameter, value: str) -> list[tuple[str, str]]:
    """Returns what `quantity.other_units` does, of a quantity or of the quantities among the parts of a composite."""
    if parameter.type == "quantity":
        return quantity.other_units(parameter, value)
    texts = split(value, "$") if parameter.repetitions else []
    return [
        place
        for repetition in parameter.repetitions
        for part, text in zip(repetition.parts, texts, strict=False)
        if part.parameter.type == "quantity"
        for place in quantity.other_units(part.parameter, text)
    ]


def _condition(repetition: Repetition, texts: Sequence[str], context: ValueContext) -> Condition:
    asked = []
    for part, text in zip(repetition.parts, texts, strict=True):
        module = PART_TYPES[part.parameter.type]
        prefix, rest = split_prefix(text, module.PREFIXES)
        how = prefix if module.PREFIXES else None
        asked.append(
            tuple(module.condition(each, how, rest, context) for each in (part.parameter, _apart(part.parameter)))
        )
    return _together(repetition, asked)


def _together(repetition: Repetition, parts: Sequence[tuple[Condition, ...]]) -> Condition:
    """Returns the condition on all parts at once, given what each asks of the index document and of a tuple."""
    asked = [whole for whole, _ in parts]
    inner = [apart.mongodb() for part, (_, apart) in zip(repetition.parts, parts, strict=True) if not part.is_outer]
    if inner:
        asked.append(Condition(others=({f"c.{repetition.name}": {"$elemMatch": joined(inner)}},)))
    asked += [
        Condition(others=tuple({f"resource.{key}": {"$exists": True}} for key in part.only))
        for part in repetition.parts
        if part.only
    ]
    if any(part.parameter.type in _RANGED for part in repetition.parts):
        # A number may tell more than the keys of the other part: MongoDB tries both.
        return Condition(others=(joined([each.mongodb() for each in asked]),))
    return all_of(asked)


def _base_keys(base: str, resource_type: str) -> tuple[str, ...] | None:
    """Returns the JSON keys that lead to a repetition, none for the resource itself; None where it is no plain path."""
    if base == resource_type:
        return ()
    found = alternatives(base, resource_type)
    if len(found) != 1 or found[0].path is None or len(found[0].leaves) != 1:
        return None
    return (*found[0].path, found[0].leaves[0][0])


def _part(
    resource_type: str,
    base: str,
    keys: tuple[str, ...],
    expression: str,
    definition: SearchParameter,
    known: Mapping[str, SearchParameter],
) -> Part | None:
    is_outer = not keys or expression.startswith(_OUTER)
    root = resource_type if is_outer else base
    text = " | ".join(f"{root}.{branch.strip()}" for branch in expression.removeprefix(_OUTER).split("|"))
    branches = alternatives(text, resource_type)
    start = 0 if is_outer else len(keys)
    paths = {branch.path for branch in branches}
    path = next(iter(paths), None)
    if definition.type not in PART_TYPES or len(paths) != 1 or path is None:
        return None
    leaves = tuple(leaf for branch in branches for leaf in branch.leaves)
    held = _holder(definition, path, leaves, known)
    if held is None:
        return None
    only = tuple(key for key, _ in leaves) if is_outer and not _holds_only(held, path, leaves) else ()
    if only and not (path == () and is_single(resource_type, expression.partition(".")[0])):
        return None
    return Part(held, path[start:], leaves, is_outer, only)


def _holder(
    definition: SearchParameter,
    path: tuple[str, ...],
    leaves: tuple[tuple[str, str], ...],
    known: Mapping[str, SearchParameter],
) -> SearchParameter | None:
    """Returns the parameter under whose code the values at this place are indexed: `code` for `combo-code`."""
    wanted = set(leaves)
    for home in definition.homes:
        holder = known[home.code]
        if home.target is None and any(
            branch.path == path and not wanted.isdisjoint(branch.leaves) for branch in holder.alternatives
        ):
            return holder
    return None


def _holds_only(parameter: SearchParameter, path: tuple[str, ...], leaves: tuple[tuple[str, str], ...]) -> bool:
    held = {(branch.path, leaf) for branch in parameter.alternatives for leaf in branch.leaves or (None,)}
    return held == {(path, leaf) for leaf in leaves}
