"""The cases of HL7's suite tx-ecosystem: what is asked of which operation, and what is expected.

The folder has the definitions of its suite `simple` only; the other code systems that its requests name are in
`tx_definitions.json`, written for these tests after what the responses tell of them, and the value sets of the
suite `parameters` are read off the responses.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.suites import SUITES

FOLDER = SUITES / "tx-ecosystem"
FOLDERS = ("simple", "validation", "parameters")
_NAMED_BY_RESPONSES = (
    "parameters-expand-enum-definitions3-response-valueSet.json",
    "parameters-expand-supplement-none-response.json",
)
_HEADERS = {"simple-coding-bad-language-header": {"Accept-Language": "en, en-AU; q=0.4"}}
"""What the suite's table of cases sends beside the parameters."""

_NOT_R4 = ('"child-of"', '"withdrawn"', "/rendering-xhtml")
"""What R4 does not allow to store: a filter operator and a standards status of R5, an extension out of its place."""


@dataclass(frozen=True)
class Case:
    """One request; `operation` is such as `ValueSet/$expand`."""

    folder: str
    name: str
    operation: str
    request: Path
    response: Path

    @property
    def headers(self) -> dict[str, str]:
        """The headers that belong to the request."""
        return _HEADERS.get(self.name, {})

    def parameters(self) -> dict[str, Any]:
        """Returns the Parameters to send, those of every case included."""
        sent: dict[str, Any] = read(self.request)
        defaults = read(FOLDER / "parameters-default.json")["parameter"]
        return {**sent, "parameter": [*sent["parameter"], *defaults, *_unstorable(sent)]}

    def expected(self) -> dict[str, Any]:
        """Returns the response with its control words."""
        expected: dict[str, Any] = read(self.response)
        return expected


def read(path: Path) -> Any:
    """Returns the content of a file of the suite; some begin with a byte order mark."""
    return json.loads(path.read_text(encoding="utf-8-sig"))


def cases() -> Iterator[Case]:
    """Yields every case of the three suites; none where the folder is absent."""
    for folder in FOLDERS:
        for request in sorted((FOLDER / folder).glob("*-request*.json")):
            name = request.name.partition("-request")[0]
            yield Case(folder, name, _operation(name), request, _response(request, name))


def _operation(name: str) -> str:
    if "-expand-" in name:
        return "ValueSet/$expand"
    if "-lookup" in name:
        return "CodeSystem/$lookup"
    return "CodeSystem/$validate-code" if name.startswith("cs-") else "ValueSet/$validate-code"


def _response(request: Path, name: str) -> Path:
    """Returns the file with the response; of two, that for servers that keep the hierarchy."""
    found = [path for path in request.parent.glob(f"{name}-response*.json") if "-response-flat" not in path.name]
    assert len(found) == 1, (name, found)
    return found[0]


def definitions() -> list[dict[str, Any]]:
    """Returns the code systems and value sets that the cases draw on and that R4 allows to store."""
    return [each for each in _all_definitions() if _is_r4(each)]


def _all_definitions() -> list[dict[str, Any]]:
    ours = json.loads(Path(__file__).with_name("tx_definitions.json").read_text())
    theirs = [
        read(path) for kind in ("codesystem", "valueset") for path in sorted((FOLDER / "simple").glob(f"{kind}-*"))
    ]
    return [*ours, *theirs, *(_definition(FOLDER / "parameters" / name) for name in _NAMED_BY_RESPONSES)]


def _definition(response: Path) -> dict[str, Any]:
    """Returns the value set that a response is the expansion of."""
    value_set: dict[str, Any] = _without_words(read(response))
    del value_set["expansion"]
    value_set["id"] = value_set["url"].rpartition("/")[2]
    value_set.setdefault("compose", {"include": [{"system": "http://hl7.org/fhir/test/CodeSystem/extensions"}]})
    return value_set


def _without_words(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_words(each) for name, each in value.items() if not name.startswith("$")}
    return [_without_words(each) for each in value] if isinstance(value, list) else value


def _is_r4(definition: dict[str, Any]) -> bool:
    return not any(sign in json.dumps(definition) for sign in _NOT_R4)


def _unstorable(sent: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns, to go with the request, the definitions it draws on which R4 does not allow to store."""
    text = json.dumps(sent)
    return [
        {"name": "tx-resource", "resource": each}
        for each in _all_definitions()
        if not _is_r4(each) and (each["id"] in text or ("extensions" in text and each["id"].startswith("supplement")))
    ]
