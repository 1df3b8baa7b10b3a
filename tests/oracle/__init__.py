"""Proof of search by an independent oracle; see `README.md`."""

import os

EXAMPLES = int(os.environ.get("FHIR_ORACLE_EXAMPLES", "20"))
"""How long the tests look for differences: searches per world; from 100 on, the sweep leaves nothing out."""
