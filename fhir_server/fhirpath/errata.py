"""Constraints of R4 whose text fails where nothing is wrong, with the text that says what they mean.

A constraint holds when its result is true; these give an empty result when the element they speak of is absent. HL7
mended most of them in later versions (https://hl7.org/fhir/R5/references.html for ref-1); R4's text cannot change.
"""

CORRECTIONS = {
    # ref-1: a reference that has only an identifier or a display
    "reference.startsWith('#').not() or "
    "(reference.substring(1).trace('url') in %rootResource.contained.id.trace('ids'))": (
        "reference.exists().not() or reference.startsWith('#').not() or reference = '#' "
        "or (reference.substring(1) in %rootResource.contained.id)"
    ),
    # bdl-8: an entry without fullUrl
    "fullUrl.contains('/_history/').not()": "fullUrl.exists().not() or fullUrl.contains('/_history/').not()",
    # ras-2: a prediction without probability
    "probability is decimal implies (probability as decimal) <= 100": (
        "probability.ofType(decimal).exists() implies (probability as decimal) <= 100"
    ),
    # the name of a conformance resource, which may be absent
    "name.matches('[A-Z]([A-Za-z0-9_]){0,254}')": "name.exists().not() or name.matches('[A-Z]([A-Za-z0-9_]){0,254}')",
    # vs-1: a period instead of a dateTime
    "($this as dateTime).toString().length() >= 8": "$this is dateTime implies $this.toString().length() >= 8",
}
