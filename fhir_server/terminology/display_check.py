"""Whether a display is a name of its code. https://hl7.org/fhir/R4/valueset-operation-validate-code.html

Case does not matter, spaces do. Where the client reads certain languages, a name must be in one of them; where the code
has none in those, a name in the code system's own language will do.
"""

from __future__ import annotations

from collections.abc import Sequence

from fhir_server.outcome import Issue
from fhir_server.terminology import display_findings as findings
from fhir_server.terminology.displays import Languages, Name, best_name


def check_display(
    display: str, code: str, names: Sequence[Name], languages: Languages, place: str, *, severity: str = "error"
) -> Issue | None:
    """Returns what is wrong with a display, None where nothing is.

    `code` is written `system#code`, for messages; `names` are all that the code has, its own first; `severity` is that
    of a display that is simply wrong.
    """
    if not names:
        return findings.no_display(display, code, place)
    right = [name for name in names if not name.is_withdrawn]
    matching = [name for name in names if name.value.casefold() == display.casefold()]
    if matching and all(name.is_withdrawn for name in matching):
        return findings.withdrawn_display(display, code, right or names, place)
    in_language = [name for name in right if languages.accept(name.language)]
    if languages and not in_language:
        default = [name for name in right if name.language in ("", names[0].language)]
        if any(name in default for name in matching):
            is_default = names[0] in matching
            return findings.display_in_other_language(display, code, languages, place, is_default=is_default)
        shown = best_name(names, languages)
        return findings.no_display_in_language(display, code, shown, languages, place, severity=severity)
    accepted = in_language if languages else right
    if any(name in accepted for name in matching):
        return None
    return findings.wrong_display(display, code, accepted, languages, place, severity=severity)
