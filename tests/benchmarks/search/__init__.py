"""Benchmarks of search, histories and paging; `python -m tests.benchmarks.search`."""
