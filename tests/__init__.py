"""Tests of the MSMA FHIR server."""
