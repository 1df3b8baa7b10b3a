"""The four kinds of patch: each takes a resource and a patch and returns the changed copy. See `README.md`."""

from fhir_server.patch.fhirpath_patch import apply_fhirpath_patch
from fhir_server.patch.json_patch import apply_json_patch
from fhir_server.patch.merge_patch import apply_merge_patch
from fhir_server.patch.xml_patch import apply_xml_patch

__all__ = ["apply_fhirpath_patch", "apply_json_patch", "apply_merge_patch", "apply_xml_patch"]
