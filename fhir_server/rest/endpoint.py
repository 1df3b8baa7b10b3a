"""What the routes need to answer: the repository and how this endpoint presents itself."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fhir_server.interactions.repository import Repository


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`root` is the base path (`/fhir`), `base_url` its public URL, empty where the request's Host tells it.

    `capabilities` builds the CapabilityStatement for a base URL, `terminology_capabilities` the
    TerminologyCapabilities; `language` is that of clients who ask for none.
    """

    repository: Repository
    capabilities: Callable[[str], dict[str, Any]]
    terminology_capabilities: Callable[[str], dict[str, Any]]
    root: str = "/fhir"
    base_url: str = ""
    language: str = "fr"
    max_body_bytes: int = 10_485_760
