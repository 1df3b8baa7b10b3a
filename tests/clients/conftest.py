"""The server that foreign clients speak to."""

from tests.support.served import served_url

__all__ = ["served_url"]
