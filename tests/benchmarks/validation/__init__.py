"""How fast resources are validated, and which rules cost most: `make bench-validation`."""
