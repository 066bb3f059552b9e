"""One module a version of the schema, in the order of their revisions: 1, 2, and so on."""
