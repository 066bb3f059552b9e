"""`python -m toolway` is `toolway`."""

from __future__ import annotations

from toolway.cli import main

if __name__ == "__main__":
    main()
