"""A bank for tests: a web service that takes every charge, and counts what reached the account."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Bank(ThreadingHTTPServer):
    """`with Bank() as bank:` answers at `bank.url`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.charges = 0
        self.keys: dict[str, int] = {}
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def __exit__(self, *args) -> None:
        self.shutdown()
        super().__exit__(*args)


class Handler(BaseHTTPRequestHandler):
    server: Bank

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        key = self.headers.get("Idempotency-Key")
        if key not in self.server.keys:
            self.server.charges += 1
            if key:
                self.server.keys[key] = self.server.charges
        answer = json.dumps({"reference": f"charge {self.server.keys.get(key, self.server.charges)}"}).encode()
        self.send_response(201)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args) -> None:
        """Tests are quiet."""
