"""Failures of MongoDB as failures that a client can be told about: the only place that translates them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pymongo.errors import (
    ConnectionFailure,
    DocumentTooLarge,
    ExecutionTimeout,
    InvalidOperation,
    OperationFailure,
    WriteConcernError,
)

from fhir_server.errors import EditConflict, StoreUnavailable, TooCostly, TooLarge

if TYPE_CHECKING:
    from pymongo.errors import PyMongoError

_MEMORY_LIMIT = 292
_TOO_LARGE = {10334, 17419, 17420, 257, 388}
"""BSONObjectTooLarge and its relatives, TransactionTooLarge."""
_INTERRUPTED = {11600, 11602, 91, 189, 262}
"""The server shuts down, steps down or is told to stop."""


def translated(error: PyMongoError) -> Exception:
    """Returns what to raise in place of a driver's error; the error itself where it can only be a fault of ours."""
    if isinstance(error, ExecutionTimeout):
        return too_costly()
    if isinstance(error, WriteConcernError):
        return outcome_unknown()
    if isinstance(error, ConnectionFailure | InvalidOperation):
        return unavailable()
    if isinstance(error, DocumentTooLarge):
        return too_large()
    return _translated_code(error) if isinstance(error, OperationFailure) else error


def _translated_code(error: OperationFailure) -> Exception:
    if error.code in _INTERRUPTED:
        return unavailable()
    if error.code == _MEMORY_LIMIT:
        return too_costly()
    if error.code in _TOO_LARGE:
        return too_large()
    return edit_conflict() if error.has_error_label("TransientTransactionError") else error


def unavailable() -> StoreUnavailable:
    """Returns the answer for a MongoDB that cannot be reached."""
    return StoreUnavailable(
        "The database does not answer; try again in a few seconds.",
        "La base de données ne répond pas ; réessayez dans quelques secondes.",
        rule="store-unavailable",
    )


def outcome_unknown() -> StoreUnavailable:
    """Returns the answer for a write that was sent and of which nobody can tell whether it was stored."""
    return StoreUnavailable(
        "The database stopped answering while it stored the change: read it before sending it again.",
        "La base de données a cessé de répondre pendant l’enregistrement : vérifiez par une lecture avant de renvoyer.",
        rule="store-outcome-unknown",
    )


def edit_conflict() -> EditConflict:
    """Returns the answer for a change that lost against others time and again."""
    return EditConflict(
        "Others change the same resources just now; try again in a moment.",
        "D’autres modifient les mêmes ressources en ce moment ; réessayez dans un instant.",
        rule="edit-conflict",
    )


def too_costly() -> TooCostly:
    """Returns the answer for a query that ran into its time limit."""
    return TooCostly(
        "The request would take more than its time budget; narrow it down.",
        "La requête dépasserait le temps imparti ; précisez-la.",
        rule="time-budget",
    )


def too_large() -> TooLarge:
    """Returns the answer for what MongoDB cannot store in one piece."""
    return TooLarge(
        "The change is too large to be stored in one piece.",
        "La modification est trop volumineuse pour être enregistrée d’un seul tenant.",
        rule="resource-size",
    )
