"""A server of its own for each test module: real app, real MongoDB, one database, HTTP in process."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio

from fhir_server.app import build_app
from fhir_server.settings import Settings
from fhir_server.spec.json_format import encode
from fhir_server.spec.shared_parts import altered_parts

BASE_URL = "http://test/fhir"
JSON = {"Content-Type": "application/fhir+json", "Accept-Language": "en"}


class Client(httpx.AsyncClient):
    """A client that sends resources as FHIR JSON, decimals kept."""

    async def send_resource(
        self, method: str, url: str, resource: dict[str, Any], headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """Returns the answer to `resource` sent with `method`."""
        return await self.request(method, url, content=encode(resource), headers=headers)

    async def create(self, resource: dict[str, Any], **headers: str) -> httpx.Response:
        """Returns the answer to a create; `If_None_Exist="…"` becomes a header."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.send_resource("POST", resource["resourceType"], resource, named)

    async def update(self, resource: dict[str, Any], **headers: str) -> httpx.Response:
        """Returns the answer to an update of the resource by its id."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.send_resource("PUT", f"{resource['resourceType']}/{resource['id']}", resource, named)

    async def bundle(self, *entries: dict[str, Any], kind: str = "transaction", **headers: str) -> httpx.Response:
        """Returns the answer to a batch or transaction of `entries`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = {"resourceType": "Bundle", "type": kind, "entry": list(entries)}
        return await self.send_resource("POST", "", content, named)


def settings_for(uri: str, **changes: Any) -> Settings:
    """Returns settings with a database of their own."""
    fresh = Settings(
        mongodb_uri=uri,
        mongodb_database=f"test_{uuid4().hex[:12]}",
        page_key="test",
        mongodb_timeout_ms=2000,
        packages_dir="",
    )
    return replace(fresh, **changes)


@pytest_asyncio.fixture(scope="session")
async def open_client(mongodb_uri: str) -> AsyncIterator[Callable[..., Any]]:
    """Gives a function that starts one more server and returns a client for it."""
    async with AsyncExitStack() as stack:

        async def start(**changes: Any) -> Client:
            app = build_app(settings_for(changes.pop("uri", mongodb_uri), **changes))
            await stack.enter_async_context(app.router.lifespan_context(app))
            transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
            return await stack.enter_async_context(
                Client(transport=transport, base_url=BASE_URL, headers=JSON, timeout=30)
            )

        yield start


@pytest_asyncio.fixture(scope="session")
async def client(open_client: Callable[..., Any]) -> Client:
    """The server that tests share which do not need one of their own; each uses its own resources."""
    shared: Client = await open_client()
    return shared


@pytest.fixture
def unique() -> str:
    """A value that no other test uses."""
    return uuid4().hex


@pytest.fixture
def patient(unique: str) -> dict[str, Any]:
    """A plain R4 patient with an identifier of its own."""
    return {"resourceType": "Patient", "identifier": [{"system": "urn:test", "value": unique}], "gender": "female"}


@pytest.fixture(autouse=True)
def _nobody_changes_shared_parts() -> Iterator[None]:
    """Checks after each test that what many resources share is still what was sent."""
    yield
    assert altered_parts() == []
