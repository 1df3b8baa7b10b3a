"""Composition root: settings in, wired app out; the only place that picks implementations."""

import logging
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import FastAPI
from starlette.responses import HTMLResponse, JSONResponse

from fhir_server import __version__
from fhir_server.conformance import DefinitionRegistry
from fhir_server.conformance.packages import InstalledPackage, PackageStore
from fhir_server.index import MONGODB_INDEXES, Indexer, SearchParameterRegistry, ValueContext, usable_definitions
from fhir_server.interactions import delete_job, postings_watch
from fhir_server.interactions.capabilities import build_capabilities, with_url
from fhir_server.interactions.index_build import IndexBuild
from fhir_server.interactions.parameter_watch import BUILD, ParameterWatch
from fhir_server.interactions.postings_watch import PostingsWatch
from fhir_server.interactions.publish import publish
from fhir_server.interactions.repository import Limits, Repository, utc_now
from fhir_server.interactions.stated_policy import with_policy
from fhir_server.interactions.stored_concepts import StoredConcepts
from fhir_server.interactions.stored_definitions import StoredDefinitions
from fhir_server.interactions.terminology_capabilities import build_terminology_capabilities
from fhir_server.interactions.turnstile import Turnstile
from fhir_server.operations import find_operation, offered, patient_purge
from fhir_server.rest import FhirApplication, async_requests
from fhir_server.rest.asgi import Receive, Scope, Send
from fhir_server.rest.endpoint import Endpoint
from fhir_server.rest.welcome import welcome_page
from fhir_server.search import KeyedCondition, Reader, Record, find_ids_of_each, read_records
from fhir_server.settings import Settings
from fhir_server.spec.definitions import table
from fhir_server.store import Batches, JobHandler, JobRunner, ResourceStore, open_store
from fhir_server.terminology import Terminology
from fhir_server.terminology.compiled import CompiledLibrary, CompiledSource
from fhir_server.validation import ValidationOptions, Validator, WritePolicy, read_policy

ROOT = "/fhir"


class FhirServer(FastAPI):
    """FastAPI for all but the FHIR endpoint, which gets its requests at once.

    A mount below the framework's middleware and router halves the requests per second of an endpoint that does nothing.
    """

    fhir: FhirApplication | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands a request below the base path to `fhir`, anything else to the framework."""
        if self.fhir is not None and scope["type"] == "http" and _is_below_root(scope["path"]):
            await self.fhir(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def _is_below_root(path: str) -> bool:
    return path.startswith(ROOT) and path[len(ROOT) : len(ROOT) + 1] in ("", "/")


def create_app() -> FhirServer:
    """Returns the app with the settings of the environment; what the server program's processes call."""
    settings = Settings.from_environment()
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    return build_app(settings)


def build_app(settings: Settings) -> FhirServer:
    """Returns the app; it connects to MongoDB when its lifespan starts."""
    definitions = definitions_of(settings)
    terminology = build_terminology(settings, definitions)
    validator = Validator(definitions, terminology, validation_options(settings, definitions))
    search_parameters = search_parameters_of(settings, definitions, terminology)

    @asynccontextmanager
    async def lifespan(app: FhirServer) -> AsyncIterator[None]:
        async with open_store(
            settings.mongodb_uri,
            database=settings.mongodb_database,
            indexes=MONGODB_INDEXES,
            selection_timeout_s=settings.mongodb_timeout_ms / 1000,
        ) as store:
            repository = _repository(settings, validator, definitions, terminology, search_parameters, store)
            async with repository.watch:
                await publish(_judging_content(settings, definitions, repository), definitions)
                endpoint = _endpoint(settings, definitions, repository)
                app.fhir = FhirApplication(endpoint)
                postings = PostingsWatch(store, repository.watch)
                async with JobRunner(store.jobs, _job_handlers(endpoint, postings)), postings:
                    yield

    app = FhirServer(title="MSMA FHIR server", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)

    @app.get("/", include_in_schema=False)
    async def welcome() -> HTMLResponse:
        return HTMLResponse(welcome_page(ROOT, __version__))

    @app.get("/health")
    async def health() -> JSONResponse:
        return JSONResponse({"status": "pass", "version": __version__})

    return app


def definitions_of(settings: Settings) -> DefinitionRegistry:
    """Returns the definitions of the content and of the installed packages, beside R4's."""
    folders = [folder for folder in content_folders(settings) if folder.is_dir()]
    return DefinitionRegistry(folders, installed_packages(settings))


def installed_packages(settings: Settings) -> list[InstalledPackage]:
    """Returns the packages that `fhir-server package install` put into the folder of the settings."""
    return PackageStore(Path(settings.packages_dir)).installed() if settings.packages_dir else []


def build_terminology(settings: Settings, definitions: DefinitionRegistry) -> Terminology:
    """Returns what answers about codes: the content, R4's tables, systems with rules of their own, loaded files."""
    library = CompiledLibrary(Path(settings.terminology_dir) if settings.terminology_dir else None)
    for fault in library.unreadable():
        logging.getLogger(__name__).warning("A code system is not used; load it again: %s", fault)
    return Terminology(definitions, [CompiledSource(library)])


def validation_options(settings: Settings, definitions: DefinitionRegistry) -> ValidationOptions:
    """Returns what the operator chose about validation; raises ValueError where that is none of the choices."""
    policy = policy_of(settings, definitions)
    return ValidationOptions(settings.best_practice, settings.unknown_extensions, settings.identifiers, policy)


def policy_of(settings: Settings, definitions: DefinitionRegistry) -> WritePolicy:
    """Returns what the findings about profiles mean for writes; raises ValueError for a file that does not say it."""
    file = settings.validation_policy
    return read_policy(Path(file), definitions) if file else WritePolicy()


def search_parameters_of(
    settings: Settings, definitions: DefinitionRegistry, terminology: Terminology | None = None
) -> SearchParameterRegistry:
    """Returns R4's search parameters, those of the content that are in force, those of packages that can be used."""
    base_urls = (settings.base_url,) if settings.base_url else ()
    context = ValueContext(
        ZoneInfo(settings.time_zone), base_urls, terminology or build_terminology(settings, definitions)
    )
    shipped = [each for each in definitions.own_resources("SearchParameter") if each["status"] == "active"]
    registry = SearchParameterRegistry(table("search_parameters"), context, shipped)
    if packed := usable_definitions(definitions.package_resources("SearchParameter"), registry):
        registry = SearchParameterRegistry(table("search_parameters"), context, [*shipped, *packed])
    return registry


def content_folders(settings: Settings) -> list[Path]:
    """Returns the folders of the content: the operator's, those of the wheel, or a checkout's."""
    here = Path(__file__).parent
    if settings.content_dir:
        base = Path(settings.content_dir)
    else:
        base = here / "content" if (here / "content").is_dir() else here.parent
    return [base / "profiles", base / "terminology", base / "mappings" / "concept-maps"]


def _repository(
    settings: Settings,
    validator: Validator,
    definitions: DefinitionRegistry,
    terminology: Terminology,
    search_parameters: SearchParameterRegistry,
    store: ResourceStore,
) -> Repository:

    async def look_up(conditions: Sequence[KeyedCondition]) -> list[list[str]]:
        return await find_ids_of_each(conditions, store, search_parameters)

    async def read(patients: Sequence[str]) -> list[Record | None]:
        return await read_records(patients, Reader(store, search_parameters, settings.query_timeout_ms))

    stored = StoredDefinitions(store, search_parameters, settings.query_timeout_ms)
    search_parameters.stored_concepts = StoredConcepts(stored, terminology)
    return Repository(
        store=store,
        conditions=Batches(look_up, linger_s=0.002),
        records=Batches(read, max_requests=16, linger_s=0.005),
        validator=validator,
        indexer=Indexer(search_parameters),
        search_parameters=search_parameters,
        conformance=definitions,
        terminology=terminology,
        definitions=stored,
        watch=ParameterWatch(store, search_parameters, delay_s=settings.parameter_delay_ms / 1000),
        page_key=(settings.page_key or secrets.token_hex(32)).encode(),
        turnstile=Turnstile(),
        limits=Limits(settings.max_bundle_entries, settings.query_timeout_ms),
    )


def _judging_content(settings: Settings, definitions: DefinitionRegistry, repository: Repository) -> Repository:
    """Returns the repository through which the server publishes its own content.

    A loaded system may be of a version that lacks a code which the content names; the server starts all the same.
    """
    if not settings.terminology_dir:
        return repository
    options = validation_options(settings, definitions)
    return replace(repository, validator=Validator(definitions, Terminology(definitions), options))


def _job_handlers(endpoint: Endpoint, postings: PostingsWatch) -> dict[str, JobHandler]:
    """Returns what does each kind of job, by kind."""
    repository = endpoint.repository
    return {
        async_requests.KIND: async_requests.AsyncRequests(endpoint).run,
        BUILD: IndexBuild(repository.store, repository.indexer, repository.watch).run,
        delete_job.KIND: delete_job.DeletionJob(repository).run,
        postings_watch.KIND: postings.run,
        patient_purge.KIND: patient_purge.PatientPurge(repository).run,
    }


def _endpoint(settings: Settings, definitions: DefinitionRegistry, repository: Repository) -> Endpoint:
    started_at = utc_now()

    @lru_cache(maxsize=1)
    def statement(_revision: int) -> dict[str, Any]:
        built = build_capabilities(
            definitions, repository.search_parameters, offered, repository.limits, settings.max_body_bytes, started_at
        )
        return with_policy(built, repository.validator.options)

    def terminology_statement(base_url: str) -> dict[str, Any]:
        inputs = [parameter.name for parameter in find_operation("expand", "type", "ValueSet").parameters]
        names = [name for each in ("CodeSystem", "ValueSet", "ConceptMap", None) for name, _ in offered(each)]
        date = started_at.isoformat(timespec="seconds").replace("+00:00", "Z")
        return build_terminology_capabilities(repository.terminology, inputs, names, date, base_url)

    return Endpoint(
        repository=repository,
        capabilities=lambda base_url: with_url(statement(repository.search_parameters.revision), base_url),
        terminology_capabilities=terminology_statement,
        root=ROOT,
        base_url=settings.base_url,
        language=settings.language,
        max_body_bytes=settings.max_body_bytes,
    )
