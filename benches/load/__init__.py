"""`make bench`: Toolway and its peers on the same work, in one run, on the machine at hand.

`rows` says what is compared, `peers/` holds each peer's configuration, `run` measures, `table` and `chart`
tell. The servers have the first core, load generator and upstream the second. docs/benchmark.md says how to
read it.
"""
