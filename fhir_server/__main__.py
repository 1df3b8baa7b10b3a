"""Runs the commands as `python -m fhir_server`."""

import sys

from fhir_server.cli import main

if __name__ == "__main__":
    sys.exit(main())
