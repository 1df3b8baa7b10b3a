"""What the CapabilityStatement says of the policy for profiles. https://hl7.org/fhir/R4/capabilitystatement.html"""

from __future__ import annotations

from typing import Any

from fhir_server.validation import ValidationOptions, WritePolicy

_FRENCH = {"refuse": "refusent", "warn": "avertissent", "off": "sont ignorées"}


_IDENTIFIERS = {
    "off": "Identifiants français non vérifiés. French identifiers are not checked.",
    "warn": "Identifiants français fautifs (INS, RPPS, FINESS …) : avertissement. Wrong French identifiers warn.",
    "production": "INS fautif ou sans identité qualifiée : refus ; autres identifiants français : avertissement. "
    "A wrong or unqualified INS is refused, other wrong French identifiers warn.",
}


def with_policy(statement: dict[str, Any], options: ValidationOptions) -> dict[str, Any]:
    """Returns the statement with the imposed profiles as `rest.resource.profile`, and the policy in words."""
    policy, [rest] = options.policy, statement["rest"]
    resources = [_with_profile(each, policy.imposed.get(each["type"])) for each in rest["resource"]]
    told = f"{rest['documentation']} {_sentence(policy)} {_IDENTIFIERS[options.identifiers]}"
    return statement | {"rest": [rest | {"documentation": told, "resource": resources}]}


def _with_profile(resource: dict[str, Any], canonical: str | None) -> dict[str, Any]:
    if canonical is None:
        return resource
    return {"type": resource["type"], "profile": canonical} | resource


def _sentence(policy: WritePolicy) -> str:
    """Returns the policy in French and English: the default, unknown profiles, then each pattern."""
    french = [f"par défaut les erreurs {_FRENCH[policy.default]}", f"profil inconnu : elles {_FRENCH[policy.unknown]}"]
    english = [f"by default errors {policy.default}", f"unknown profile: {policy.unknown}"]
    for rule in policy.rules:
        french.append(
            f"{rule.pattern} : {_FRENCH[rule.action] if rule.action else 'par défaut'}{_targets(rule.targets)}"
        )
        english.append(f"{rule.pattern}: {rule.action or 'default'}{_targets(rule.targets)}")
    return f"Profils (`meta.profile`) : {' ; '.join(french)}. Profiles (`meta.profile`): {'; '.join(english)}."


def _targets(targets: str | None) -> str:
    return f" (targets={targets})" if targets else ""
