"""Tests of secrets that managers keep."""
