"""The server of the API tests, for suites that are played over HTTP."""

from tests.api.conftest import client, open_client, unique

__all__ = ["client", "open_client", "unique"]
