"""Loads the synthetic network through the public API of a FHIR server: several transactions at once.

What is refused stops everything with the server's own words; what is busy (409, 429, 503) or unreachable for a moment
is tried again, which is safe because every entry is a PUT.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import msgspec

from fhir_server.synthetic.bundles import course_bundles, directory_bundles
from fhir_server.synthetic.care import draw_courses
from fhir_server.synthetic.founding import build_networks
from fhir_server.synthetic.resources.elements import TEST_DATA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fhir_server.synthetic.course import Course
    from fhir_server.synthetic.network import Size

    BundleObserver = Callable[[dict[str, Any]], None]
    CourseObserver = Callable[[Course], None]

_ENCODER = msgspec.json.Encoder(decimal_format="number")
_HEADERS = {
    "Content-Type": "application/fhir+json",
    "Accept": "application/fhir+json",
    "Accept-Language": "fr",
    "Prefer": "return=minimal",
}
_BUSY = frozenset({409, 429, 502, 503, 504})
_ATTEMPTS = 8
_FIRST_WAIT_S = 0.1
_LONGEST_WAIT_S = 5.0
_ISSUES_SHOWN = 5


class LoadRefused(Exception):
    """The server does not take the data, or cannot be reached; the message says why."""


class Loader:
    """Sends bundles to the base URL of `client`; `on_bundle` hears of each one stored, `on_course` of patients done.

    `first_wait_s` is the pause before the second attempt; it doubles from one attempt to the next.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        on_bundle: BundleObserver,
        on_course: CourseObserver,
        *,
        first_wait_s: float = _FIRST_WAIT_S,
    ) -> None:
        self._client = client
        self._on_bundle = on_bundle
        self._on_course = on_course
        self._first_wait_s = first_wait_s

    async def load(self, size: Size, seed: int, workers: int) -> None:
        """Loads organisations first, then patients, `workers` at a time; raises LoadRefused."""
        for bundle in directory_bundles(size, seed):
            await self._send(bundle)
        courses = (course for network in build_networks(size, seed) for course in draw_courses(network))
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(workers):
                    group.create_task(self._work(courses))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _work(self, courses: Iterator[Course]) -> None:
        for course in courses:
            for bundle in course_bundles(course):
                await self._send(bundle)
            self._on_course(course)

    async def _send(self, bundle: dict[str, Any]) -> None:
        body = _ENCODER.encode(bundle)
        for attempt in range(_ATTEMPTS):
            try:
                answer = await self._client.post("", content=body, headers=_HEADERS)
            except httpx.TransportError as error:
                reason = f"{self._client.base_url} : {type(error).__name__} {error}".rstrip()
                wait_s = self._wait_s(attempt)
            else:
                if answer.is_success:
                    self._on_bundle(bundle)
                    return
                reason = describe_refusal(answer)
                if answer.status_code not in _BUSY:
                    raise LoadRefused(reason)
                wait_s = self._wait_s(attempt, answer.headers.get("Retry-After"))
            if attempt + 1 < _ATTEMPTS:
                await asyncio.sleep(wait_s)
        raise LoadRefused(f"Abandon après {_ATTEMPTS} essais · gave up after {_ATTEMPTS} attempts: {reason}")

    def _wait_s(self, attempt: int, retry_after: str | None = None) -> float:
        if retry_after and retry_after.isdecimal():
            return min(float(retry_after), _LONGEST_WAIT_S) if self._first_wait_s else 0.0
        return min(self._first_wait_s * float(2**attempt), _LONGEST_WAIT_S)


async def count_foreign_patients(client: httpx.AsyncClient) -> int:
    """Returns how many patients the server holds that are not test data; raises LoadRefused if it cannot be asked."""
    everyone = await _count_patients(client, {})
    invented = await _count_patients(client, {"_tag": f"{TEST_DATA['system']}|{TEST_DATA['code']}"})
    return everyone - invented


async def _count_patients(client: httpx.AsyncClient, criteria: dict[str, str]) -> int:
    parameters = {**criteria, "_count": "1", "_total": "accurate"}
    try:
        answer = await client.get("/Patient", params=parameters, headers={"Accept": "application/fhir+json"})
    except httpx.TransportError as error:
        raise LoadRefused(
            f"Pas de serveur FHIR à {client.base_url} : lancez `fhir-server serve` · no FHIR server there ({error})."
        ) from error
    if not answer.is_success:
        raise LoadRefused(describe_refusal(answer))
    total = answer.json().get("total")
    if not isinstance(total, int):
        raise LoadRefused("Le serveur ne dit pas combien de patients il a · no `total` in the server's answer.")
    return total


def describe_refusal(answer: httpx.Response) -> str:
    """Returns the status and the texts of the OperationOutcome, a line each; the beginning of any other body."""
    try:
        issues = answer.json()["issue"]
    except (ValueError, KeyError, TypeError):
        return f"HTTP {answer.status_code} : {answer.text[:500]}"
    lines = [f"HTTP {answer.status_code}"]
    for issue in [issue for issue in issues if issue.get("severity") in {"fatal", "error"}][:_ISSUES_SHOWN]:
        place = ", ".join(issue.get("expression", []))
        text = issue.get("details", {}).get("text") or issue.get("diagnostics", "")
        lines.append(f"  {place} : {text}" if place else f"  {text}")
    return "\n".join(lines)
