"""Features as pictures: what is in a file and where its bytes go, on one page that opens offline."""

from __future__ import annotations

from .shown_file import ShownFile, show_file

__all__ = ["ShownFile", "show_file"]
