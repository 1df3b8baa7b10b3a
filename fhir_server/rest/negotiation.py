"""What the client sends and what it accepts: media type, FHIR version, language, pretty printing.

https://hl7.org/fhir/R4/http.html#mime-type and #version-parameter
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from fhir_server.errors import InvalidContent, NotAcceptable, UnsupportedMediaType
from fhir_server.rest.formats import ANYTHING, FORMATS, JSON, NAMES, PAGES, PATCH_FORMATS, XML, Format

RETURNS = {"minimal": "minimal", "representation": "representation", "operationoutcome": "OperationOutcome"}
_weight = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?").fullmatch
FHIR_VERSIONS = {"4.0", "4.0.1"}


@dataclass(frozen=True, slots=True)
class Preferences:
    """How this client wants its answers; `lenient`, `returns` and `respond_async` are what `Prefer` asks for.

    `language` is the one of messages, `accept_language` the header as it came, empty where it did not.
    """

    language: str = "fr"
    pretty: bool = False
    lenient: bool = False
    returns: str = ""
    format: Format = JSON
    respond_async: bool = False
    accept_language: str = ""


@lru_cache(maxsize=1024)
def choose_format(accept: str) -> Format | None:
    """Returns the format that `Accept` likes best, None where any will do.

    Raises NotAcceptable where no media type of it is one that the server writes.
    """
    wishes = [(_quality(parameters), media_type, parameters) for media_type, parameters in map(_split, _parts(accept))]
    unwanted = {FORMATS[media_type].name for quality, media_type, _ in wishes if not quality and media_type in FORMATS}
    refusal: NotAcceptable | None = None
    for quality, media_type, parameters in sorted(wishes, key=lambda wish: -wish[0]):
        if not quality:
            break
        try:
            _check_version(parameters, NotAcceptable)
        except NotAcceptable as error:
            refusal = refusal or error
            continue
        if media_type in FORMATS:
            return FORMATS[media_type]
        if media_type in PAGES and JSON.name not in unwanted:
            return JSON
        if media_type in ANYTHING and len(unwanted) < 2:
            return XML if JSON.name in unwanted else JSON if unwanted else None
    raise refusal or NotAcceptable(
        f"`{accept}` cannot be answered; ask for one of {NAMES}.",
        f"Aucune réponse possible en `{accept}` ; demandez l'un de {NAMES}.",
        rule="accept",
    )


def _parts(accept: str) -> list[str]:
    return [part for part in accept.split(",") if part.strip()]


def parse_format(format_: str) -> Format:
    """Returns the format of a `_format`; raises NotAcceptable for one that the server does not write."""
    media_type, parameters = _split(format_.replace(" ", "+"))
    if media_type not in FORMATS and media_type not in PAGES:
        raise NotAcceptable(
            f"`_format={format_}` is not supported; use `json` or `xml`.",
            f"`_format={format_}` n'est pas pris en charge ; utilisez `json` ou `xml`.",
            rule="format",
        )
    _check_version(parameters, NotAcceptable)
    return {JSON.name: JSON, XML.name: XML}[FORMATS.get(media_type, JSON).name]


@lru_cache(maxsize=1024)
def names_a_format(header: str) -> bool:
    """True where an `Accept` or a `Content-Type` names a format of resources."""
    wishes = map(_split, _parts(header))
    return any(media_type in FORMATS and _quality(parameters) > 0 for media_type, parameters in wishes)


@lru_cache(maxsize=256)
def format_sent(content_type: str) -> Format:
    """Returns the format that a client who names none in `Accept` reads: the one that it writes, else JSON."""
    media_type, _ = _split(content_type)
    return FORMATS.get(media_type) or PATCH_FORMATS.get(media_type) or JSON


@lru_cache(maxsize=256)
def check_content_type(content_type: str) -> Format:
    """Returns the format of a body; raises UnsupportedMediaType where it is not declared as FHIR in UTF-8."""
    media_type, parameters = _split(content_type)
    if media_type not in FORMATS:
        raise unsupported_body(content_type, NAMES)
    _check_version(parameters, UnsupportedMediaType)
    check_charset(parameters)
    return FORMATS[media_type]


@lru_cache(maxsize=256)
def patch_type(content_type: str) -> str:
    """Returns the media type of a patch; raises UnsupportedMediaType where there is no patch of this type."""
    media_type, parameters = _split(content_type)
    if media_type not in PATCH_FORMATS and media_type not in FORMATS:
        names = ", ".join(f"`{name}`" for name in PATCH_FORMATS)
        raise unsupported_body(content_type, f"{names}, or a `Parameters` as {NAMES}")
    check_charset(parameters)
    return media_type


def check_charset(parameters: dict[str, str]) -> None:
    """Raises UnsupportedMediaType for the parameters of a media type that name another charset than UTF-8."""
    charset = parameters.get("charset", "utf-8").lower()
    if charset not in ("utf-8", "utf8"):
        raise UnsupportedMediaType(
            f"The body's charset is `{charset}`; FHIR is UTF-8.",
            f"Le jeu de caractères du corps est `{charset}` ; FHIR est en UTF-8.",
            rule="charset",
        )


def unsupported_body(content_type: str, names: str) -> UnsupportedMediaType:
    """Returns the error for a body of another type than `names`, which may be none."""
    named = f"as `{content_type}`" if content_type else "without `Content-Type`"
    nomme = f"en `{content_type}`" if content_type else "sans `Content-Type`"
    return UnsupportedMediaType(
        f"The body came {named}; send it as one of {names}.",
        f"Le corps est arrivé {nomme} ; envoyez-le comme l'un de {names}.",
        rule="content-type",
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
    lenient, respond_async = wishes.get("handling") == "lenient", "respond-async" in wishes
    return Preferences(
        language, lenient=lenient, returns=returns, respond_async=respond_async, accept_language=accept_language
    )


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
    """Returns the weight, from 0 to 1; what is none weighs nothing. RFC 9110 (12.4.2)"""
    text = parameters.get("q", "1")
    return float(text) if _weight(text) else 0.0
