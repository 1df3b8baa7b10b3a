"""The sentences of findings about profiles, in English and French; `PLACE` stands for the place."""

from __future__ import annotations

from collections.abc import Sequence

from fhir_server.validation.findings import PLACE, Finding
from fhir_server.validation.messages import quoted, shown


def unknown_profile(canonical: str) -> Finding:
    return Finding(
        "not-found",
        "profile-unknown",
        f"The profile `{shown(canonical)}` at `{PLACE}` is not known here, so it was not checked.",
        f"Le profil `{shown(canonical)}` à `{PLACE}` n’est pas connu ici ; il n’a pas été vérifié.",
        "warning",
    )


def profile_of_other_type(canonical: str, type_name: str) -> Finding:
    return Finding(
        "structure",
        "profile-type",
        f"The profile `{shown(canonical)}` is for the type `{type_name}`, not for `{PLACE}`.",
        f"Le profil `{shown(canonical)}` porte sur le type `{type_name}`, non sur `{PLACE}`.",
    )


def unusable_profile(canonical: str, reason: str, raison: str) -> Finding:
    return Finding(
        "not-supported",
        "profile-unusable",
        f"The profile `{shown(canonical)}` could not be compiled, so it was not checked: {reason}",
        f"Le profil `{shown(canonical)}` n’a pas pu être compilé ; il n’a pas été vérifié : {raison}",
        "warning",
    )


def not_fixed(fixed: str) -> Finding:
    return Finding(
        "value",
        "fixed-value",
        f"`{PLACE}` must be exactly `{shown(fixed)}`.",
        f"`{PLACE}` doit être exactement `{shown(fixed)}`.",
    )


def not_pattern(pattern: str) -> Finding:
    return Finding(
        "value",
        "pattern-value",
        f"`{PLACE}` must hold `{shown(pattern)}`.",
        f"`{PLACE}` doit contenir `{shown(pattern)}`.",
    )


def too_small(limit: str) -> Finding:
    return Finding(
        "value",
        "value-min",
        f"`{PLACE}` must be at least `{shown(limit)}`.",
        f"`{PLACE}` doit être au moins `{shown(limit)}`.",
    )


def too_great(limit: str) -> Finding:
    return Finding(
        "value",
        "value-max",
        f"`{PLACE}` must be at most `{shown(limit)}`.",
        f"`{PLACE}` doit être au plus `{shown(limit)}`.",
    )


def too_long(maximum: int, length: int) -> Finding:
    return Finding(
        "too-long",
        "length-max",
        f"`{PLACE}` has {length} characters; {maximum} are allowed.",
        f"`{PLACE}` compte {length} caractères ; {maximum} sont permis.",
    )


def too_few(minimum: int, count: int) -> Finding:
    return Finding(
        "required",
        "cardinality-min",
        f"`{PLACE}` must be there {minimum} time(s) at least; it is there {count} time(s).",
        f"`{PLACE}` doit être présent {minimum} fois au moins ; il l’est {count} fois.",
    )


def not_allowed() -> Finding:
    return Finding(
        "structure",
        "cardinality-max",
        f"`{PLACE}` may not be there in this profile.",
        f"`{PLACE}` ne peut pas être présent dans ce profil.",
    )


def type_not_allowed(found: str, allowed: Sequence[str]) -> Finding:
    return Finding(
        "structure",
        "choice-type",
        f"`{PLACE}` may not be a `{shown(found)}` in this profile. Valid types: {quoted(allowed, 60)}.",
        f"`{PLACE}` ne peut pas être un `{shown(found)}` dans ce profil. Types valides : {quoted(allowed, 60)}.",
    )


def no_profile_fits(profiles: Sequence[str]) -> Finding:
    return Finding(
        "structure",
        "type-profile",
        f"`{PLACE}` fits none of the profiles {quoted(profiles)}.",
        f"`{PLACE}` ne correspond à aucun des profils {quoted(profiles)}.",
    )


def slice_too_few(name: str, described: str, minimum: int, count: int) -> Finding:
    what = f" (`{shown(described)}`)" if described else ""
    return Finding(
        "required",
        "slice-min",
        f"`{PLACE}` must hold the slice `{name}`{what} {minimum} time(s) at least; it holds it {count} time(s).",
        f"`{PLACE}` doit contenir la tranche `{name}`{what} {minimum} fois au moins ; elle y est {count} fois.",
    )


def slice_too_many(name: str, described: str, maximum: int, count: int) -> Finding:
    what = f" (`{shown(described)}`)" if described else ""
    return Finding(
        "structure",
        "slice-max",
        f"`{PLACE}` may hold the slice `{name}`{what} {maximum} time(s) at most; it holds it {count} time(s).",
        f"`{PLACE}` peut contenir la tranche `{name}`{what} {maximum} fois au plus ; elle y est {count} fois.",
    )


def slice_closed(names: Sequence[str]) -> Finding:
    return Finding(
        "structure",
        "slice-closed",
        f"`{PLACE}` is none of the slices that this profile allows: {quoted(names, 20)}.",
        f"`{PLACE}` n’est aucune des tranches que ce profil permet : {quoted(names, 20)}.",
    )


def slice_order(name: str) -> Finding:
    return Finding(
        "structure",
        "slice-order",
        f"`{PLACE}` comes too late: the profile orders its slices, and `{name}` stands before the one just seen.",
        f"`{PLACE}` vient trop tard : le profil ordonne ses tranches, et `{name}` précède celle qu’on vient de lire.",
    )


def slice_not_at_end() -> Finding:
    return Finding(
        "structure",
        "slice-open-at-end",
        f"What this profile does not name may only stand at the end, after `{PLACE}`.",
        f"Ce que ce profil ne nomme pas ne peut se trouver qu’à la fin, après `{PLACE}`.",
    )
