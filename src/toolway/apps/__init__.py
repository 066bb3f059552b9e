"""Apps: what an LLM client is shown, in every format that such clients read.

`curate` selects operations, `manifest` writes ai-plugin.json, `actions` the OpenAPI document for GPT Actions,
`tools` the MCP tools and `functions` the function tools of LLM APIs. All take an `AppView` and return plain
data.
"""
