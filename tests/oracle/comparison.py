"""One search asked of the server and of the oracle: how the answers differ."""

from __future__ import annotations

from collections.abc import Iterable

from tests.api.conftest import Client
from tests.oracle.asking import Answer, ask
from tests.oracle.includes import included
from tests.oracle.matcher import find
from tests.oracle.order import disorder
from tests.oracle.query import Search
from tests.oracle.world import Key, World, key_of


async def difference(client: Client, search: Search, world: World) -> str | None:
    """Returns None, or how the server's answer differs: ids, total, pages, order, included resources."""
    answer = await ask(client, search)
    if answer.refusal:
        return f"{search}: {answer.refusal}"
    wrong = [*_matches(answer, search, world), *_order(answer, search, world), *_included(answer, search, world)]
    return f"{search}: {'; '.join(wrong)}" if wrong else None


def _matches(answer: Answer, search: Search, world: World) -> Iterable[str]:
    expected = {key_of(resource) for resource in find(search, world)}
    found = set(answer.matches)
    if found != expected:
        yield f"missing {sorted(expected - found)[:5]}, too many {sorted(found - expected)[:5]}"
    if len(answer.matches) != len(found):
        yield "a match stands on two pages"
    if answer.total != len(found):
        yield f"total {answer.total} for {len(found)}"


def _order(answer: Answer, search: Search, world: World) -> Iterable[str]:
    resources = [resource for key in answer.matches if (resource := world.find(key))]
    wrong = disorder(search.sort, resources, world)
    if wrong:
        yield wrong


def _included(answer: Answer, search: Search, world: World) -> Iterable[str]:
    for page in answer.pages:
        expected: set[Key] = included(search.includes, page.matches, world)
        if set(page.included) != expected:
            lost, extra = expected - set(page.included), set(page.included) - expected
            yield f"for {page.matches}: not included {sorted(lost)[:5]}, included {sorted(extra)[:5]}"
        if len(page.included) != len(set(page.included)):
            yield "a resource is included twice"
