"""The Vault that tests start for themselves."""
