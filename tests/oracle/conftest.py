"""The oracle's server: a real app on a real MongoDB, as for the tests of the API."""

from tests.api.conftest import open_client

__all__ = ["open_client"]
