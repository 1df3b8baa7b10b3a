"""Open FHIR R4 server for the *microstructures médicales addictions* (MSMA)."""

__version__ = "0.1.0"
