"""Local stand-in for the Hugging Face Hub: one repository, range requests, and faults on demand."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REPOSITORY = "SoccerNet/SN-BAS-2025"
_COMMIT = "c" * 40


class Hub:
    """Files and faults of the server, and a record of requests."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)
        self.address = ""
        self.status = 200
        """HTTP status of every response; any other than 200 is an error."""
        self.truncate_after: int | None = None
        """Offset in a file at which the next response that reaches it breaks off."""
        self.hang = False
        """Whether a truncated response hangs instead of closing the connection."""
        self.corrupt = False
        """Whether to send wrong bytes of the right length."""
        self.ranges: list[int] = []
        """Start offset of every file request, in order."""


@contextmanager
def serve(files: Mapping[str, bytes]) -> Iterator[Hub]:
    """Run a hub for the duration of the block."""
    hub = Hub(files)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

        def _answer(self, *, body: bool) -> None:
            if hub.status != 200:
                self._send(hub.status, b'{"error": "no"}', {}, body=body)
            elif self.path.startswith(f"/api/datasets/{REPOSITORY}"):
                self._send(200, _listing(hub, self.path), {"Content-Type": "application/json"}, body=body)
            else:
                name = self.path.split("?")[0].rpartition("/")[2]
                if name in hub.files:
                    self._send_file(hub.files[name], body=body)
                else:
                    self._send(404, b"{}", {"X-Error-Code": "EntryNotFound"}, body=body)

        def _send_file(self, content: bytes, *, body: bool) -> None:
            match = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            first = int(match[1]) if match else 0
            stop = int(match[2]) + 1 if match and match[2] else len(content)
            headers = {
                "ETag": f'"{hashlib.sha256(content).hexdigest()}"',
                "X-Repo-Commit": _COMMIT,
                "Accept-Ranges": "bytes",
            }
            if body:
                hub.ranges.append(first)
            if match:
                headers["Content-Range"] = f"bytes {first}-{stop - 1}/{len(content)}"
            sent = bytes(len(content)) if hub.corrupt else content
            offset = hub.truncate_after
            cut = offset - first if offset is not None and first <= offset < stop else None
            self._send(206 if match else 200, sent[first:stop], headers, body=body, cut=cut)

        def _send(
            self,
            status: int,
            content: bytes,
            headers: Mapping[str, str],
            *,
            body: bool,
            cut: int | None = None,
        ) -> None:
            self.send_response(status)
            for key, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(key, value)
            self.end_headers()
            if not body:
                return
            self.wfile.write(content[:cut])
            if cut is not None:
                self.wfile.flush()
                while hub.hang:
                    time.sleep(0.05)
                hub.truncate_after = None
                self.connection.close()
                self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


def _listing(hub: Hub, path: str) -> bytes:
    if "/tree/" in path:
        entries = [
            {"type": "file", "path": name, "size": len(content), "oid": "0" * 40}
            for name, content in hub.files.items()
        ]
        return json.dumps(entries).encode()
    siblings = [{"rfilename": name} for name in hub.files]
    return json.dumps({"id": REPOSITORY, "sha": _COMMIT, "siblings": siblings, "tags": []}).encode()
