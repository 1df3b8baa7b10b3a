from tests.support.mongod import mongodb_database, store

__all__ = ["mongodb_database", "store"]
