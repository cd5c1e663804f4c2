"""The small HTTP server of a bridge or worker: /metrics and /health/live."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from apps.monitoring.progress import Progress


class MonitoringServer(ThreadingHTTPServer):
    """Answers from a daemon thread, so that a busy main loop is still probed."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, host: str, port: int, progress: Progress) -> None:
        super().__init__((host, port), _Handler)
        self.progress = progress


class _Handler(BaseHTTPRequestHandler):
    server: MonitoringServer

    def do_GET(self) -> None:
        if self.path == "/metrics":
            self._answer(200, generate_latest(), CONTENT_TYPE_LATEST)
        elif self.path == "/health/live":
            progress = self.server.progress
            status = 200 if progress.alive() else 503
            body = {"status": "live" if status == 200 else "stalled"}
            body["idle_seconds"] = f"{progress.idle_seconds():.1f}"
            self._answer(status, json.dumps(body).encode(), "application/json")
        else:
            self._answer(404, b"{}", "application/json")

    def _answer(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Probes are not news."""


def serve(host: str, port: int, progress: Progress) -> MonitoringServer:
    """Start serving; raises OSError where the port is taken."""
    server = MonitoringServer(host, port, progress)
    threading.Thread(target=server.serve_forever, name="monitoring", daemon=True).start()
    return server
