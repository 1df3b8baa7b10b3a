"""The lines of the benchmark as HTTP traffic: what is sent in a round, and whether each answer is right.

An answer that is wrong in status, header or content makes the round invalid; speed counts for right answers only.
"""

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from tests.benchmarks.client import Answer, encode_request
from tests.benchmarks.observations import IDENTIFIER_SYSTEM, Template, same_content, same_values

FHIR_PATH = "/fhir/Observation"
BARE_PATH = "/Observation"
STRIDE = 7919  # a prime: neighbours in time are not neighbours in the store

_decode = msgspec.json.decode
_encode = msgspec.json.Encoder(decimal_format="number").encode


class Workload(ABC):
    """One kind of request against one server. Numbers go on from round to round, so nothing is sent twice."""

    def __init__(self, port: int, first: int = 0) -> None:
        self.port = port
        self._next = first
        self._round_first = first

    def requests(self, seconds: float) -> Iterator[bytes]:
        """Returns the requests of the next round, more than `seconds` can use up."""
        self._round_first = self._next
        return self._encoded()

    def _encoded(self) -> Iterator[bytes]:
        while True:
            number = self._next
            self._next += 1
            yield self.encode(number)

    def find_error(self, answer: Answer) -> str | None:
        """Returns what is wrong with an answer of the last round, or None."""
        return self.check(self._round_first + answer.number, answer)

    def resources(self, answer: Answer) -> int:
        """Returns how many resources a right answer stands for."""
        return 1

    @abstractmethod
    def encode(self, number: int) -> bytes:
        """Returns the request with that number."""

    @abstractmethod
    def check(self, number: int, answer: Answer) -> str | None:
        """Returns what is wrong with the answer to that request, or None."""


class Create(Workload):
    """`POST` of Observations; the same bodies go to the FHIR server and to the bare function."""

    def __init__(self, port: int, templates: Sequence[Template], *, first: int, bare: bool) -> None:
        super().__init__(port, first)
        self._templates = templates
        self._bare = bare
        self._path = BARE_PATH if bare else FHIR_PATH

    def body(self, number: int) -> bytes:
        return self._templates[number % len(self._templates)].body(number)

    def encode(self, number: int) -> bytes:
        return encode_request("POST", self._path, self.body(number))

    def check(self, number: int, answer: Answer) -> str | None:
        if answer.status != 201:
            return _unexpected(answer)
        if self._bare:
            return None if _decode(answer.body)["_id"] else "no id"
        if not (answer.header("Location") or "").endswith("/_history/1"):
            return f"Location is {answer.header('Location')}"
        return None if same_content(self.body(number), answer.body) else "created something else"


class ConditionalCreate(Create):
    """`POST` with `If-None-Exist` on an identifier that is new each time: the dearer of the two outcomes."""

    def __init__(self, port: int, templates: Sequence[Template], *, first: int) -> None:
        super().__init__(port, templates, first=first, bare=False)

    def encode(self, number: int) -> bytes:
        condition = f"identifier={IDENTIFIER_SYSTEM}|{number:010d}"
        return encode_request("POST", self._path, self.body(number), headers={"If-None-Exist": condition})


class Validate(Create):
    """`POST` of Observations to `$validate`, profiles checked; `mode=create`, so targets are looked up too."""

    def __init__(self, port: int, templates: Sequence[Template], *, first: int) -> None:
        super().__init__(port, templates, first=first, bare=False)
        self._path = f"{FHIR_PATH}/$validate?mode=create"

    def check(self, number: int, answer: Answer) -> str | None:
        if answer.status != 200:
            return _unexpected(answer)
        rules = [issue["details"]["coding"][0]["code"] for issue in _decode(answer.body)["issue"]]
        return None if rules == ["all-ok"] else f"sound Observation {number} was told {rules}"


class Read(Workload):
    """`GET` by id over documents stored beforehand, in an order that never repeats one soon."""

    def __init__(self, port: int, stored: Sequence[tuple[str, bytes]], *, bare: bool) -> None:
        super().__init__(port)
        path = BARE_PATH if bare else FHIR_PATH
        self._stored = stored
        self._id_name = "_id" if bare else "id"
        self._encoded_reads = [encode_request("GET", f"{path}/{id_}") for id_, _ in stored]
        self._same: Callable[[bytes, bytes], bool] = same_values if bare else same_content

    def encode(self, number: int) -> bytes:
        return self._encoded_reads[number * STRIDE % len(self._stored)]

    def check(self, number: int, answer: Answer) -> str | None:
        id_, body = self._stored[number * STRIDE % len(self._stored)]
        if answer.status != 200 or _decode(answer.body)[self._id_name] != id_:
            return _unexpected(answer)
        return None if self._same(body, answer.body) else f"read of {id_} gave something else"


class Update(Workload):
    """`PUT` with `If-Match`, each with new content; a resource comes again after all others."""

    def __init__(self, port: int, stored: Sequence[tuple[str, Template]], *, first: int) -> None:
        super().__init__(port, first - first % len(stored))
        self._first = self._next
        self._stored = stored

    def _version(self, number: int) -> int:
        return (number - self._first) // len(self._stored) + 1

    def encode(self, number: int) -> bytes:
        id_, template = self._stored[number % len(self._stored)]
        condition = {"If-Match": f'W/"{self._version(number)}"'}
        return encode_request("PUT", f"{FHIR_PATH}/{id_}", template.body(number), headers=condition)

    def check(self, number: int, answer: Answer) -> str | None:
        id_, template = self._stored[number % len(self._stored)]
        if answer.status != 200:
            return _unexpected(answer)
        if answer.header("ETag") != f'W/"{self._version(number) + 1}"' or _decode(answer.body)["id"] != id_:
            return f"ETag of {id_} is {answer.header('ETag')}"
        return None if same_content(template.body(number), answer.body) else f"update of {id_} gave something else"


class Pathways(Workload):
    """Transaction bundles, one patient's pathway each, made before the clock starts."""

    def __init__(self, port: int, build: Callable[[int], dict[str, Any]], *, first: int) -> None:
        super().__init__(port, first)
        self._build = build
        self._per_second = 32.0
        self._sizes: dict[int, int] = {}

    def requests(self, seconds: float) -> Iterator[bytes]:
        self._round_first = self._next
        count = math.ceil(self._per_second * seconds * 1.5) + 32
        made = [self.encode(number) for number in range(self._next, self._next + count)]
        self._next += count
        return iter(made)

    def expect(self, bundles_per_second: float) -> None:
        """Sets the rate that the next rounds must have bundles for."""
        self._per_second = max(self._per_second, bundles_per_second)

    def encode(self, number: int) -> bytes:
        bundle = self._build(number)
        self._sizes[number] = len(bundle["entry"])
        return encode_request("POST", "/fhir", _encode(bundle))

    def check(self, number: int, answer: Answer) -> str | None:
        if answer.status != 200:
            return _unexpected(answer)
        statuses = [entry["response"]["status"][:3] for entry in _decode(answer.body)["entry"]]
        if len(statuses) != self._sizes[number] or set(statuses) - {"200", "201"}:
            return f"bundle {number} of {self._sizes[number]} entries gave {statuses}"
        return None

    def resources(self, answer: Answer) -> int:
        """Returns how many resources the bundle made; what it only found again does not count."""
        return sum(entry["response"]["status"].startswith("201") for entry in _decode(answer.body)["entry"])


def _unexpected(answer: Answer) -> str:
    return f"{answer.status}: {answer.body[:600].decode(errors='replace')}"


def first_errors(workload: Workload, answers: Sequence[Answer], limit: int = 3) -> list[str]:
    """Returns the first errors among the answers, at most `limit`."""
    found = (error for answer in answers if (error := workload.find_error(answer)) is not None)
    return list(itertools.islice(found, limit))
