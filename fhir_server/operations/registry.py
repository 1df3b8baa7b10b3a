"""Which operations there are, and where. https://hl7.org/fhir/R4/operations.html"""

from __future__ import annotations

from fhir_server.errors import ResourceNotFound
from fhir_server.operations import (
    code_system_lookup,
    code_system_subsumes,
    code_system_validate_code,
    concept_map_closure,
    concept_map_translate,
    observation_lastn,
    patient_everything,
    patient_purge,
    resource_meta,
    resource_meta_add,
    resource_meta_delete,
    resource_validate,
    structure_definition_snapshot,
    value_set_expand,
    value_set_validate_code,
)
from fhir_server.operations.operation import Level, Operation

OPERATIONS: tuple[Operation, ...] = (
    code_system_lookup.OPERATION,
    code_system_subsumes.OPERATION,
    code_system_validate_code.OPERATION,
    concept_map_closure.OPERATION,
    concept_map_translate.OPERATION,
    observation_lastn.OPERATION,
    patient_everything.OPERATION,
    patient_purge.OPERATION,
    resource_meta.OPERATION,
    resource_meta_add.OPERATION,
    resource_meta_delete.OPERATION,
    resource_validate.OPERATION,
    structure_definition_snapshot.OPERATION,
    value_set_expand.OPERATION,
    value_set_validate_code.OPERATION,
)


def find_operation(code: str, level: Level, resource_type: str | None) -> Operation:
    """Returns the operation of that name on a level of a type; `code` is without `$`.

    Raises ResourceNotFound, naming those that can be called there, where there is none.
    """
    for operation in OPERATIONS:
        if operation.code == code and operation.is_offered(level, resource_type):
            return operation
    here = [f"`${operation.code}`" for operation in OPERATIONS if operation.is_offered(level, resource_type)]
    listed, liste = (
        (f"those are {', '.join(here)}", f"il y a {', '.join(here)}") if here else ("none is", "il n'y en a pas")
    )
    raise ResourceNotFound(
        f"There is no operation `${code}` here; {listed}. `metadata` lists all.",
        f"Il n'y a pas d'opération `${code}` ici ; {liste}. `metadata` les indique toutes.",
        rule="operation-unknown",
    )


def offered(resource_type: str | None) -> list[tuple[str, str]]:
    """Returns (name, canonical) of what a CapabilityStatement says of a type, or of the system (None)."""
    levels: tuple[Level, ...] = ("system",) if resource_type is None else ("type", "instance")
    return [
        (operation.code, operation.canonical)
        for operation in OPERATIONS
        if any(operation.is_offered(level, resource_type) for level in levels)
    ]
