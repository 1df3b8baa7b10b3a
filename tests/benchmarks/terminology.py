"""The terminology service as traffic: a client's code system of 1,000 codes, expanded whole, and one code looked up."""

import msgspec

from tests.benchmarks.client import Answer, encode_request
from tests.benchmarks.workloads import STRIDE, Workload

CODES = 1_000
SYSTEM, VALUE_SET = "https://cnrms.fr/bench/CodeSystem/codes", "https://cnrms.fr/bench/ValueSet/codes"

_decode = msgspec.json.decode


def definitions() -> list[bytes]:
    """Returns the requests that store the code system, two levels deep, and the value set of all its codes."""
    concepts = [
        {
            "code": f"g{group}",
            "display": f"Groupe {group}",
            "concept": [{"code": f"c{group}-{each}", "display": f"Code {each} du groupe {group}"} for each in range(9)],
        }
        for group in range(CODES // 10)
    ]
    common = {"id": "bench", "version": "1", "status": "active"}
    system = {"resourceType": "CodeSystem", **common, "url": SYSTEM, "content": "complete", "concept": concepts}
    compose = {"include": [{"system": SYSTEM}]}
    codes = {"resourceType": "ValueSet", **common, "url": VALUE_SET, "compose": compose}
    bodies = {"CodeSystem": system, "ValueSet": codes}
    return [encode_request("PUT", f"/fhir/{name}/bench", msgspec.json.encode(body)) for name, body in bodies.items()]


class Expand(Workload):
    """`$expand` of all codes, nested, by the value set's canonical."""

    def encode(self, number: int) -> bytes:
        return encode_request("GET", f"/fhir/ValueSet/$expand?url={VALUE_SET}")

    def check(self, number: int, answer: Answer) -> str | None:
        if answer.status != 200:
            return f"{answer.status} {answer.body[:300]!r}"
        expansion = _decode(answer.body)["expansion"]
        found = sum(1 + len(group.get("contains", ())) for group in expansion["contains"])
        return None if found == expansion["total"] == CODES else f"{found} codes of {expansion['total']}"


class Lookup(Workload):
    """`$lookup` of one code after the other."""

    def encode(self, number: int) -> bytes:
        return encode_request("GET", f"/fhir/CodeSystem/$lookup?system={SYSTEM}&code={_code(number)}")

    def check(self, number: int, answer: Answer) -> str | None:
        if answer.status != 200:
            return f"{answer.status} {answer.body[:300]!r}"
        told = {each["name"]: each for each in _decode(answer.body)["parameter"] if each["name"] != "property"}
        return None if told["code"]["valueCode"] == _code(number) else f"{told['code']} instead of {_code(number)}"


def _code(number: int) -> str:
    group = number * STRIDE % (CODES // 10)
    return f"c{group}-{number % 9}"
