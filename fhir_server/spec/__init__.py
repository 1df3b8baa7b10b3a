"""Facts of FHIR R4, without I/O but the tables it ships. https://hl7.org/fhir/R4/"""
