"""What an operator may choose about findings that R4 leaves to servers."""

from __future__ import annotations

from dataclasses import dataclass, field

from fhir_server.validation.policy import WritePolicy

BEST_PRACTICE = ("ignore", "warn")
UNKNOWN_EXTENSIONS = ("accept", "warn", "refuse")
IDENTIFIERS = ("off", "warn", "production")


@dataclass(frozen=True, slots=True)
class ValidationOptions:
    """How advice and unknown extensions are taken; raises ValueError, with the choices, for any other word.

    `best_practice`: constraints that their definition marks as best practice (dom-6) are not evaluated, or warn.
    `unknown_extensions`: extensions that nobody defined here are kept silently, with a warning, or refused. Unknown
    modifier extensions are refused whatever is chosen: https://hl7.org/fhir/R4/extensibility.html#modifierExtension
    `identifiers`: the form and key of French identifiers are not looked at, warn, or refuse where they are the INS of
    real people (`production`).
    `policy`: which profiles are imposed, and which want the targets of references; here it changes no severity.
    """

    best_practice: str = "ignore"
    unknown_extensions: str = "accept"
    identifiers: str = "warn"
    policy: WritePolicy = field(default_factory=WritePolicy)

    def __post_init__(self) -> None:
        for name, choices in (
            ("best_practice", BEST_PRACTICE),
            ("unknown_extensions", UNKNOWN_EXTENSIONS),
            ("identifiers", IDENTIFIERS),
        ):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}, not `{getattr(self, name)}`.")


DEFAULT_OPTIONS = ValidationOptions()
