"""Composition root: settings in, wired app out; the only place that picks implementations."""

import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import FastAPI
from starlette.responses import HTMLResponse, JSONResponse

from fhir_server import __version__
from fhir_server.conformance import DefinitionRegistry
from fhir_server.index import MONGODB_INDEXES, Indexer, SearchParameterRegistry
from fhir_server.interactions.capabilities import build_capabilities, with_url
from fhir_server.interactions.repository import Limits, Repository, utc_now
from fhir_server.rest import FhirApplication
from fhir_server.rest.endpoint import Endpoint
from fhir_server.rest.welcome import welcome_page
from fhir_server.settings import Settings
from fhir_server.spec.definitions import table
from fhir_server.store import Connection, ResourceStore
from fhir_server.terminology import Terminology
from fhir_server.validation import Validator

ROOT = "/fhir"
logger = logging.getLogger("fhir_server")


def content_folders(settings: Settings) -> list[Path]:
    """Returns the folders of profiles and terminology: the operator's, a checkout's or those of the wheel."""
    here = Path(__file__).parent
    if settings.content_dir:
        base = Path(settings.content_dir)
    else:
        base = here / "content" if (here / "content").is_dir() else here.parent
    return [base / "profiles", base / "terminology"]
