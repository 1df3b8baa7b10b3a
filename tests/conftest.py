import os

from hypothesis import settings

from tests.support.mongod import mongodb_uri

__all__ = ["mongodb_uri"]

# How long an example takes says more about what else the machine does.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

# Commands run by tests see no packages but those that a test installs.
os.environ["FHIR_PACKAGES_DIR"] = ""
