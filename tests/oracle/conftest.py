"""The oracle's server: a real app on a real MongoDB, which knows its own address."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.api.conftest import Client, open_client
from tests.oracle.references import BASE_URL

__all__ = ["open_client"]
