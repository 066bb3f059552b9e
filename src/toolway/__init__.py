"""Toolway: an API gateway for AI tools."""
