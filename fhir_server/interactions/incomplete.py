"""Refuses an update with a resource that is not whole: what it lacks would be lost.

https://hl7.org/fhir/R4/search.html#summary
"""

from typing import Any

from fhir_server.errors import InvalidResource
from fhir_server.spec.subset import is_subsetted


def refuse_subsetted(resource: dict[str, Any], place: str = "") -> None:
    """Raises InvalidResource for a resource with the tag SUBSETTED; `place` is where it stands in a bundle."""
    if is_subsetted(resource):
        raise InvalidResource(
            "The resource has the tag `SUBSETTED`: `_summary` or `_elements` left a part of it out, which this update"
            " would lose. Read the whole resource and change that, or send a patch.",
            "La ressource porte l'étiquette `SUBSETTED` : `_summary` ou `_elements` en a omis une part, que cette mise"
            " à jour ferait perdre. Lisez la ressource entière et modifiez-la, ou envoyez un patch.",
            rule="resource-subsetted",
            expression=[f"{place or resource.get('resourceType')}.meta.tag"],
        )
