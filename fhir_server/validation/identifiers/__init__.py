"""French national identifiers: their form, their key, and that an INS goes with a qualified identity.

Which rule an Identifier meets is known from its `system`. What is found warns; only the national health identity of
real people can refuse, and only where the operator says that this is production.
"""

from fhir_server.validation.identifiers.check import identifier_rules

__all__ = ["identifier_rules"]
