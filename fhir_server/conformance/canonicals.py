"""Canonical URLs, with or without a version. https://hl7.org/fhir/R4/references.html#canonical"""


def split_canonical(canonical: str) -> tuple[str, str]:
    """Returns URL and version of `url|version`; the version is empty where none is named."""
    url, _, version = canonical.partition("|")
    return url, version
