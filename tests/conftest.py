from tests.support.mongod import mongodb_uri

__all__ = ["mongodb_uri"]
