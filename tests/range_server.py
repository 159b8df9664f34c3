"""An HTTP server on this machine that knows ranges and counts requests."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Served:
    """Files by name, and what was asked for: method, name, and the range's text or ``whole``."""

    files: Mapping[str, bytes]
    address: str = ""
    ranges: bool = True
    asked: list[tuple[str, str, str]] = field(default_factory=list)


@contextmanager
def serving(files: Mapping[str, bytes], *, ranges: bool = True) -> Iterator[Served]:
    """Serve files; with ``ranges=False`` as the simplest servers do, which always send all."""
    served = Served(files, ranges=ranges)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, *, body: bool) -> None:
            name, wanted = self.path.lstrip("/"), self.headers.get("Range")
            served.asked.append((self.command, name, wanted or "whole"))
            data = served.files.get(name)
            if data is None:
                self.send_response(404)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            start, stop = 0, len(data)
            match = re.fullmatch(r"bytes=(\d*)-(\d*)", wanted or "") if served.ranges else None
            if match is not None:
                first, last = match.groups()
                start = int(first) if first else max(0, len(data) - int(last))
                stop = min(len(data), int(last) + 1) if first and last else len(data)
            self.send_response(200 if match is None else 206)
            if match is not None:
                self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(data)}")
            if served.ranges:
                self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(stop - start))
            self.end_headers()
            if body:
                self.wfile.write(data[start:stop])

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
