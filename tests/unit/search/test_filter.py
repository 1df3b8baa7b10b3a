"""`_filter` as it is understood, and refused."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.errors import FhirError, InvalidContent, NotSupported
from fhir_server.search import parse_search
from fhir_server.search.criteria import All, Chain, Clause, Comparison, Criterion, Either, Not, ReverseChain
from fhir_server.search.filter_grammar import OPERATORS, Comparing, Logical, Negation, Node, Step, parse_filter
from tests.support.matching import REGISTRY


def told(criterion: Criterion) -> str:
    """Returns a criterion as one line that shows how it is built."""
    match criterion:
        case All(parts):
            return f"({' & '.join(told(part) for part in parts)})"
        case Either(parts):
            return f"({' | '.join(told(part) for part in parts)})"
        case Not(part):
            return f"!{told(part)}"
        case Chain(parameter, targets):
            return f"{parameter.code} -> " + " / ".join(f"{target} {told(inner)}" for target, inner in targets)
        case ReverseChain(parameter, inner):
            return f"{parameter.resource_type} {parameter.code} <- {told(inner)}"
        case Clause(parameter, (value,), modifier):
            return f"{parameter.code}{':' + modifier if modifier else ''}={value.prefix} {value.text}"
        case Comparison(parameter, operator, text):
            return f"{parameter.code} {operator} {text}"
    raise AssertionError(criterion)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('value-string eq "peter"', "value-string eq peter"),
        ("value-string eq peter", "value-string eq peter"),
        ('value-string co "a,b"', r"value-string:contains=eq a\,b"),
        ('value-string sw "a|b"', r"value-string=eq a\|b"),
        ("value-string ew x", "value-string ew x"),
        ('value-string eq "é \\" )]"', 'value-string eq é " )]'),
        ("date ge 2014-10-10", "date=ge 2014-10-10"),
        ("date po 2014", "date po 2014"),
        ("value-quantity lt 5.4||mg", "value-quantity=lt 5.4||mg"),
        ("code eq http://loinc.org|1234-5", "code=eq http://loinc.org|1234-5"),
        ("code ne 1234-5", "code ne 1234-5"),
        ("subject re Patient/4", "subject=eq Patient/4"),
        ("subject pr true", "subject:missing=eq false"),
        ("subject pr false", "subject:missing=eq true"),
        ("status eq a or status eq b and code eq c", "(status=eq a | (status=eq b & code=eq c))"),
        ("(status eq a or status eq b) and code eq c", "((status=eq a | status=eq b) & code=eq c)"),
        ("not (status eq a)", "!status=eq a"),
        ("not(status eq a) and not  ( code eq b )", "(!status=eq a & !code=eq b)"),
        ("  status   eq  a  ", "status=eq a"),
        ("status eq a and (code eq b)", "(status=eq a & code=eq b)"),
        ('patient.name co "pet"', "patient -> Patient name:contains=eq pet"),
        ("subject:Patient.organization.name eq x", "subject -> Patient organization -> Organization name eq x"),
        ("patient[gender eq male].name eq x", "patient -> Patient (gender=eq male & name eq x)"),
        (
            "subject[gender eq male or not (active eq true)].birthdate gt 1960",
            "subject -> Patient ((gender=eq male | !active=eq true) & birthdate=gt 1960)",
        ),
        ("_has:AuditEvent:entity:agent eq Practitioner/1", "AuditEvent entity <- agent=eq Practitioner/1"),
        ("_id ne 7", "_id ne 7"),
        ("_lastUpdated ge 2026", "_lastUpdated=ge 2026"),
        ("code in http://x/vs", "code:in=eq http://x/vs"),
        ("code ni http://x/vs", "code:not-in=eq http://x/vs"),
        ("code ss 1", "code:below=eq 1"),
        ("code sb 1", "code:above=eq 1"),
    ],
)
def test_filters_become_criteria(text: str, expected: str) -> None:
    (criterion,) = parse_search("Observation", [("_filter", text)], REGISTRY).clauses
    assert told(criterion) == expected


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("status", InvalidContent, "from character 7 on (``): an operator (eq, ne, co,"),
        ("status is final", InvalidContent, "from character 8 on (`is final`): an operator"),
        ("status eq", InvalidContent, "a value is expected"),
        ('status eq "final', InvalidContent, 'from character 11 on (`"final`): a JSON string'),
        ("(status eq final", InvalidContent, "`)` is expected"),
        ("status eq final)", InvalidContent, "`and`, `or` or the end"),
        ("status eq final code eq x", InvalidContent, "`and`, `or` or the end"),
        ("status eq final and", InvalidContent, "the name of a search parameter"),
        ("not status eq final", InvalidContent, "an operator"),
        ("subject[active eq true] eq x", InvalidContent, "`.` and a name after `]`"),
        ("subject[active eq true.name eq x", InvalidContent, "`]` is expected"),
        ("1 eq 1", InvalidContent, "the name of a search parameter"),
        ("(" * 40 + "status eq a" + ")" * 40, InvalidContent, "at most 30 levels"),
        (" or ".join(["status eq a"] * 101), InvalidContent, "at most 100 comparisons"),
        ("state eq final", NotSupported, "Did you mean `status`"),
        ("status:not eq final", NotSupported, "status eq"),
        ("status gt final", NotSupported, "status eq, status in, status ne"),
        ("date co 2014", NotSupported, "date po"),
        ("value-string re x", NotSupported, "value-string co"),
        ("patient.nom eq x", NotSupported, "has no search parameter `nom`"),
        ("code.name eq x", NotSupported, "`code` of `Observation` is no reference"),
        ("subject pr maybe", InvalidContent, "`true` or `false`"),
        ('status eq ""', InvalidContent, "a value is expected"),
        ('status eq "\\u0000"', InvalidContent, "a value is expected"),
        ("patient[nom eq x].name eq x", NotSupported, "has no search parameter `nom`"),
    ],
)
@pytest.mark.parametrize("lenient", [False, True])
def test_refusals_say_where_and_what_is_valid(text: str, error: type[FhirError], message: str, lenient: bool) -> None:
    with pytest.raises(error) as caught:
        parse_search("Observation", [("_filter", text)], REGISTRY, lenient=lenient)
    assert message in caught.value.english
    assert caught.value.french != caught.value.english


names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,8}", fullmatch=True)
comparings = st.builds(
    Comparing, st.builds(lambda name: (Step(name),), names), st.sampled_from(OPERATORS), st.text(max_size=10)
)
nodes = st.recursive(
    comparings,
    lambda inner: (
        st.builds(Negation, inner)
        | st.builds(Logical, st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3).map(tuple))
    ),
    max_leaves=8,
)


def written(node: Node) -> str:
    """Returns a filter as a careful client writes it: everything in parentheses, values as JSON."""
    match node:
        case Logical(operator, parts):
            return f" {operator} ".join(f"({written(part)})" for part in parts)
        case Negation(part):
            return f"not ({written(part)})"
        case Comparing(path, operator, value):
            quoted = "".join(f"\\u{ord(char):04x}" if ord(char) < 0x10000 else char for char in value)
            return f'{".".join(step.name for step in path)} {operator} "{quoted}"'


@given(nodes)
def test_filters_read_back(node: Node) -> None:
    assert parse_filter(written(node)) == node


@given(st.text(alphabet='()[]."\\ abeqnotr|,é\0', max_size=40))
def test_no_text_breaks_the_parser(text: str) -> None:
    with suppress(InvalidContent):
        parse_filter(text)


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("_list", "$current-problems", NotSupported, "functional lists are not kept"),
        ("_list", "a b", InvalidContent, "the id of a List"),
        ("_list:not", "1", NotSupported, "_list"),
        ("_list", "", InvalidContent, "it has no value"),
        ("_query", "x", NotSupported, "defines no named queries"),
        ("_contained", "true", NotSupported, "_contained=false"),
        ("_containedType", "contained", NotSupported, "_containedType=container"),
    ],
)
def test_what_is_not_there_is_refused_kindly(name: str, value: str, error: type[FhirError], message: str) -> None:
    with pytest.raises(error) as caught:
        parse_search("Observation", [(name, value)], REGISTRY)
    assert message in caught.value.english
    assert caught.value.french != caught.value.english


def test_what_goes_without_saying_may_be_said() -> None:
    query = [("_contained", "false"), ("_containedType", "container"), ("status", "final")]
    request = parse_search("Observation", query, REGISTRY)
    assert [str(each) for each in request.clauses] == ["status"]
    assert request.parameters == tuple(query)
