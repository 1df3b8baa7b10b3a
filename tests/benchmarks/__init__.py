"""Benchmarks: the server beside a bare ASGI function; `python -m tests.benchmarks`."""
