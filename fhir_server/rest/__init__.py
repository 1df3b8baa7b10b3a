"""HTTP: routes and negotiates, hands over to `interactions`, writes the answer or the outcome of a `FhirError`."""

from fhir_server.rest.application import FhirApplication

__all__ = ["FhirApplication"]
