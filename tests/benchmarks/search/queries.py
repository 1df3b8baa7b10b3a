"""Requests with their right answers; a line of the benchmark sends many of one kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tests.benchmarks.client import Answer, encode_request
from tests.benchmarks.workloads import STRIDE, Workload

_decode = msgspec.json.decode


@dataclass(frozen=True, slots=True)
class Query:
    """One `GET` and what it has to give: references of the matches and of what is included, and the total.

    `rank` gives the value that the matches are sorted by; None leaves their order open, `exact` asks for this one.
    `total` None is not looked at.
    """

    path: str
    matches: Sequence[str]
    included: frozenset[str] = frozenset()
    total: int | None = None
    rank: Callable[[str], Any] | None = field(default=None, compare=False)
    exact: bool = False

    def find_error(self, answer: Answer) -> str | None:
        """Returns what is wrong with an answer to this request, or None."""
        if answer.status != 200:
            return f"{self.path}: {answer.status} {answer.body[:300].decode(errors='replace')}"
        bundle = _decode(answer.body)
        matches = references(bundle, "match")
        if (list(matches) != list(self.matches)) if self.exact else (sorted(matches) != sorted(self.matches)):
            return f"{self.path}: {len(matches)} matches, {len(self.matches)} expected: {matches[:3]}"
        if set(references(bundle, "include")) != self.included:
            return f"{self.path}: included {references(bundle, 'include')[:5]}, expected {sorted(self.included)[:5]}"
        if self.total is not None and bundle.get("total") != self.total:
            return f"{self.path}: total {bundle.get('total')}, expected {self.total}"
        ranks = [self.rank(name) for name in matches] if self.rank else []
        return None if ranks == sorted(ranks) else f"{self.path}: not in the order asked for"


class Queries(Workload):
    """Requests of one kind, in an order that repeats none soon."""

    def __init__(self, port: int, queries: Sequence[Query], *, counts_resources: bool = False) -> None:
        super().__init__(port)
        self.queries = queries
        self._counts_resources = counts_resources
        self._requests = [encode_request("GET", f"/fhir/{query.path}") for query in queries]

    def encode(self, number: int) -> bytes:
        return self._requests[number * STRIDE % len(self._requests)]

    def check(self, number: int, answer: Answer) -> str | None:
        return self.queries[number * STRIDE % len(self.queries)].find_error(answer)

    def resources(self, answer: Answer) -> int:
        """Returns how many resources a right answer holds, where the line counts resources."""
        return answer.body.count(b'"fullUrl"') if self._counts_resources else 1


def references(bundle: Mapping[str, Any], mode: str) -> list[str]:
    """Returns `Type/id` of the entries of one search mode; entries of histories and of `$everything` are matches."""
    return [
        f"{entry['resource']['resourceType']}/{entry['resource']['id']}"
        for entry in bundle.get("entry", ())
        if "resource" in entry and entry.get("search", {}).get("mode", "match") == mode
    ]


def next_path(bundle: Mapping[str, Any]) -> str | None:
    """Returns the link to the next page below the base URL, None on the last page."""
    for link in bundle.get("link", ()):
        if link["relation"] == "next":
            return str(link["url"]).partition("/fhir/")[2]
    return None
