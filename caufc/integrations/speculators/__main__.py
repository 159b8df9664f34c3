"""The command line of speculators with the backend ``caufc``: ``python -m caufc.integrations.speculators train``."""

from __future__ import annotations

from speculators.__main__ import app

import caufc.integrations.speculators  # noqa: F401 - registers the backend, before speculators reads its options

if __name__ == "__main__":
    app()
