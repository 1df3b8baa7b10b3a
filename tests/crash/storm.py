"""Two hundred transactions at once, something that goes wrong among them, and the stock-taking afterwards."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.crash.bundles import CONTENT, SIZE, bundle_number, references, transaction_bundle

BUNDLES = 200
TIMEOUT_S = 60
PAGE = 200

Answers = dict[int, httpx.Response | None]


async def send_all(base_url: str, numbers: list[int], *, after: int, happens: Callable[[], None]) -> Answers:
    """Returns each bundle's answer, None where the connection broke; all are sent at once.

    `happens` is called as soon as `after` of them are answered with success, while the others are under way.
    """
    answers: Answers = {}
    limits = httpx.Limits(max_connections=len(numbers))
    async with httpx.AsyncClient(base_url=base_url, timeout=TIMEOUT_S, limits=limits) as client:

        async def send(number: int) -> None:
            try:
                answer = await client.post("/fhir", json=transaction_bundle(number))
            except httpx.TransportError:
                answers[number] = None
                return
            answers[number] = answer
            if answer.is_success and len(successes(answers)) == after:
                happens()

        await asyncio.gather(*(send(number) for number in numbers))
    return answers


def successes(answers: Answers) -> dict[int, httpx.Response]:
    """Returns the answers that said the bundle is stored."""
    return {number: answer for number, answer in answers.items() if answer is not None and answer.is_success}


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
        assert set(stock.get(number, {})) == _locations(answer), f"bundle {number} was answered {answer.status_code}"


def _locations(answer: httpx.Response) -> set[str]:
    paths = (urlsplit(entry["response"]["location"]).path for entry in answer.json()["entry"])
    return {path.removeprefix("/fhir/").partition("/_history/")[0] for path in paths}
