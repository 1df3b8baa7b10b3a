"""Proof of search by an independent oracle; see `README.md`."""

import os

from hypothesis import HealthCheck, Phase, settings

EXAMPLES = int(os.environ.get("FHIR_ORACLE_EXAMPLES", "20"))
"""How long the tests look for differences: searches per world; from 100 on, the sweep leaves nothing out."""

WORLDS = settings(
    deadline=None,
    database=None,
    derandomize=EXAMPLES <= 20,
    suppress_health_check=list(HealthCheck),
    # Shrinking would ask thousands of searches: the resources a difference is about are printed instead.
    phases=(Phase.generate,),
)
"""How worlds are drawn."""
