from dataclasses import dataclass
from typing import Any
from fhir_server.validation.findings import Check, all_well


@dataclass
class ProfileCheck:
    type_name: str
    check: Check


class ProfileChecks:
    def __init__(self, definitions, terminology, invariants):
        pass

    def check(self, canonical):
        return all_well

    def find(self, canonical):
        return None
