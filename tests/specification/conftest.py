"""The servers that suites are played against: in process, and over real HTTP."""

from tests.api.conftest import client, open_client, unique
from tests.support.served import served_url

__all__ = ["client", "open_client", "served_url", "unique"]
