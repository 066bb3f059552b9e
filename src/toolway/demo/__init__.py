"""The demo: two small real APIs, the configuration in front of them, and a player in the part of ChatGPT.

`conference` and `shop` are ordinary HTTP APIs that know nothing of the gateway; `toolway.yaml` publishes them
as one app; `player` calls that app over HTTP and MCP and checks each answer; `run` starts and stops it all.
"""
