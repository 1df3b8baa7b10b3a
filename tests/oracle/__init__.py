"""Proof of search by an independent oracle; see `README.md`."""
