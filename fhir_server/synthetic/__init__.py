"""A synthetic but realistic network of microstructures: its people, their care, as FHIR resources and bundles.

Everything follows from a seed; nobody in it exists. Stages: `territory` and `distributions` (figures with sources) →
`founding` (organisations) → `care` (a patient's course) → `resources` (FHIR JSON) → `bundles` → `load` or `ndjson`.
"""

from __future__ import annotations

from fhir_server.synthetic.bundles import (
    DEFAULT_SEED,
    broken_pathway_bundle,
    course_bundles,
    directory_bundles,
    network_bundle,
    pathway_bundle,
)
from fhir_server.synthetic.care import draw_courses
from fhir_server.synthetic.founding import build_networks
from fhir_server.synthetic.load import Loader, LoadRefused, count_foreign_patients
from fhir_server.synthetic.ndjson import NdjsonFiles, write_network
from fhir_server.synthetic.network import Size, plan_networks
from fhir_server.synthetic.summary import Tally, build_summary

__all__ = [
    "DEFAULT_SEED",
    "LoadRefused",
    "Loader",
    "NdjsonFiles",
    "Size",
    "Tally",
    "broken_pathway_bundle",
    "build_networks",
    "build_summary",
    "count_foreign_patients",
    "course_bundles",
    "directory_bundles",
    "draw_courses",
    "network_bundle",
    "pathway_bundle",
    "plan_networks",
    "write_network",
]
