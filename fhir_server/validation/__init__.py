"""Is a resource what R4 and its profiles ask for? https://hl7.org/fhir/R4/validation.html"""

from fhir_server.validation.options import ValidationOptions
from fhir_server.validation.policy import WritePolicy
from fhir_server.validation.policy_file import read_policy
from fhir_server.validation.targets import places_of, relative_target
from fhir_server.validation.validator import Validator

__all__ = ["ValidationOptions", "Validator", "WritePolicy", "places_of", "read_policy", "relative_target"]
