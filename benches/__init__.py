"""Benchmarks. They are no part of the package that is installed."""
