"""Two hundred transactions at once, something that goes wrong among them, and the stock-taking afterwards."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.benchmarks.client import Answer, encode_request, run_round
from tests.crash.bundles import CONTENT, SIZE, bundle_number, references, transaction_bundle

BUNDLES = 200
TIMEOUT_S = 60
PAGE = 200

Answers = dict[int, Answer]


async def send_all(
    port: int, numbers: list[int], *, after: int = 0, happens: Callable[[], None] | None = None
) -> Answers:
    """Returns the answers by bundle, without those whose connection broke; each is sent on a connection of its own.

    `happens` is called as soon as `after` of them are answered with success, while the others are under way.
    """
    if not numbers:
        return {}
    left = after

    def watch(answer: Answer) -> None:
        nonlocal left
        left -= answer.status == 200
        if answer.status == 200 and left == 0 and happens:
            happens()

    requests = [encode_request("POST", "/fhir", json.dumps(transaction_bundle(number)).encode()) for number in numbers]
    done = await run_round(port, iter(requests), seconds=TIMEOUT_S, connections=len(numbers), watch=watch)
    return {numbers[answer.number]: answer for answer in done.answers}


def successes(answers: Answers) -> dict[int, Answer]:
    """Returns the answers that said the bundle is stored."""
    return {number: answer for number, answer in answers.items() if answer.status == 200}


async def take_stock(base_url: str) -> dict[int, dict[str, dict[str, Any]]]:
    """Returns everything the server holds, by bundle and then by `Type/id`."""
    stock: dict[int, dict[str, dict[str, Any]]] = defaultdict(dict)
    async with httpx.AsyncClient(timeout=TIMEOUT_S) as client:
        for resource_type in CONTENT:
            page: str | None = f"{base_url}/fhir/{resource_type}?_count={PAGE}"
            while page:
                answer = await client.get(page)
                assert answer.status_code == 200, answer.text
                bundle = answer.json()
                for resource in (entry["resource"] for entry in bundle.get("entry", [])):
                    stock[bundle_number(resource)][f"{resource_type}/{resource['id']}"] = resource
                page = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), None)
    return stock


def assert_whole_or_absent(stock: dict[int, dict[str, dict[str, Any]]], answers: Answers) -> None:
    """Fails unless each stored bundle is complete and consistent, and each one answered with success is stored."""
    sizes = {number: len(resources) for number, resources in stock.items()}
    assert set(sizes.values()) <= {SIZE}, f"in part: {[n for n, size in sizes.items() if size != SIZE]}"
    for resources in stock.values():
        assert Counter(resource["resourceType"] for resource in resources.values()) == CONTENT
        assert all(references(resource) <= resources.keys() for resource in resources.values())
    for number, answer in successes(answers).items():
        assert set(stock.get(number, {})) == _locations(answer), f"bundle {number} was answered {answer.status}"


def _locations(answer: Answer) -> set[str]:
    paths = (urlsplit(entry["response"]["location"]).path for entry in json.loads(answer.body)["entry"])
    return {path.removeprefix("/fhir/").partition("/_history/")[0] for path in paths}
