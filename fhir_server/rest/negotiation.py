"""What the client sends and what it accepts: media type, FHIR version, language, pretty printing.

https://hl7.org/fhir/R4/http.html#mime-type and #version-parameter
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from fhir_server.errors import InvalidContent, NotAcceptable, UnsupportedMediaType

JSON = "application/fhir+json"
JSON_TYPES = {"application/fhir+json", "application/json", "text/json", "json"}
ANY_TYPES = {"*/*", "application/*", "text/*"}
RETURNS = {"minimal": "minimal", "representation": "representation", "operationoutcome": "OperationOutcome"}
FHIR_VERSIONS = {"4.0", "4.0.1"}
CONTENT_TYPE = b"application/fhir+json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Preferences:
    """How this client wants its answers; `handling` and `returns` are those of `Prefer`."""

    language: str = "fr"
    pretty: bool = False
    lenient: bool = False
    returns: str = ""


@lru_cache(maxsize=1024)
def check_accept(accept: str) -> None:
    """Raises NotAcceptable where no media type of `Accept` is one that the server writes."""
    for part in accept.split(","):
        media_type, parameters = _split(part)
        if (media_type in JSON_TYPES or media_type in ANY_TYPES) and _quality(parameters) > 0:
            _check_version(parameters, NotAcceptable)
            return
    raise NotAcceptable(
        f"`{accept}` cannot be answered; ask for `{JSON}`.",
        f"Aucune réponse possible en `{accept}` ; demandez `{JSON}`.",
        rule="accept",
    )


def check_format(format_: str) -> None:
    """Raises NotAcceptable for a `_format` other than JSON."""
    media_type, parameters = _split(format_.replace(" ", "+"))
    if media_type not in JSON_TYPES:
        raise NotAcceptable(
            f"`_format={format_}` is not supported; use `json`.",
            f"`_format={format_}` n'est pas pris en charge ; utilisez `json`.",
            rule="format",
        )
    _check_version(parameters, NotAcceptable)


@lru_cache(maxsize=256)
def check_content_type(content_type: str) -> None:
    """Raises UnsupportedMediaType for a body that is not declared as FHIR JSON in UTF-8."""
    media_type, parameters = _split(content_type)
    if media_type not in JSON_TYPES:
        named = f"as `{content_type}`" if content_type else "without `Content-Type`"
        nomme = f"en `{content_type}`" if content_type else "sans `Content-Type`"
        raise UnsupportedMediaType(
            f"The body came {named}; send it as `{JSON}`.",
            f"Le corps est arrivé {nomme} ; envoyez-le en `{JSON}`.",
            rule="content-type",
        )
    _check_version(parameters, UnsupportedMediaType)
    charset = parameters.get("charset", "utf-8").lower()
    if charset not in ("utf-8", "utf8"):
        raise UnsupportedMediaType(
            f"The body's charset is `{charset}`; FHIR is UTF-8.",
            f"Le jeu de caractères du corps est `{charset}` ; FHIR est en UTF-8.",
            rule="charset",
        )


@lru_cache(maxsize=1024)
def preferences(accept_language: str, prefer: str, default_language: str) -> Preferences:
    """Returns the preferences in the headers `Accept-Language` and `Prefer`."""
    language = default_language
    for tag in _by_quality(accept_language):
        if tag[:2].lower() in ("fr", "en"):
            language = tag[:2].lower()
            break
    wishes = _wishes(prefer)
    returns = RETURNS.get(wishes.get("return", ""), "")
    return Preferences(language, lenient=wishes.get("handling") == "lenient", returns=returns)


def parse_boolean(name: str, text: str) -> bool:
    """Returns a result parameter such as `_pretty`; raises InvalidContent unless it is `true` or `false`."""
    if text in ("true", "false"):
        return text == "true"
    raise InvalidContent(
        f"`{name}` must be `true` or `false`, not `{text}`.",
        f"`{name}` doit valoir `true` ou `false`, et non `{text}`.",
        rule="parameter-boolean",
    )


def _wishes(prefer: str) -> dict[str, str]:
    """Returns what `Prefer` asks for; of a name that comes twice the first counts. RFC 7240"""
    wishes: dict[str, str] = {}
    for wish in prefer.replace(",", ";").split(";"):
        name, _, value = wish.partition("=")
        wishes.setdefault(name.strip().lower(), value.strip().strip('"').lower())
    return wishes


def _split(text: str) -> tuple[str, dict[str, str]]:
    media_type, *rest = (part.strip() for part in text.split(";"))
    parameters = {name.strip().lower(): value.strip().strip('"') for name, _, value in (p.partition("=") for p in rest)}
    return media_type.lower(), parameters


def _check_version(parameters: dict[str, str], error: type[NotAcceptable] | type[UnsupportedMediaType]) -> None:
    version = parameters.get("fhirversion")
    if version is not None and version not in FHIR_VERSIONS:
        raise error(
            f"`fhirVersion={version}` is not spoken here; this server speaks FHIR 4.0.",
            f"`fhirVersion={version}` n'est pas pris en charge ; ce serveur parle FHIR 4.0.",
            rule="fhir-version",
        )


def _by_quality(accept_language: str) -> Sequence[str]:
    weighted = []
    for part in accept_language.split(","):
        tag, parameters = _split(part)
        weighted.append((_quality(parameters), tag))
    return [tag for quality, tag in sorted(weighted, key=lambda pair: -pair[0]) if quality > 0]


def _quality(parameters: dict[str, str]) -> float:
    try:
        return float(parameters.get("q", "1"))
    except ValueError:
        return 0.0
