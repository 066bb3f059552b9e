"""Tests of `toolway.apps`."""
