"""Where alerts arrive: a mail server and a web server on loopback, each with what it took."""

import contextlib
import email
import http.server
import json
import socketserver
import threading
from collections.abc import Iterator
from email import policy
from typing import Any


class _Mail(socketserver.StreamRequestHandler):
    """As much of SMTP as a sender needs (RFC 5321)."""

    server: "_Server"

    def handle(self) -> None:
        self._say("220 sink.example")
        while line := self.rfile.readline().decode().strip():
            word = line.split()[0].upper()
            if word == "DATA":
                self._say("354 end with a dot")
                content = b""
                while (part := self.rfile.readline()) != b".\r\n":
                    content += part[1:] if part.startswith(b"..") else part
                message = email.message_from_bytes(content, policy=policy.default)
                body = message.get_body(("plain", "html"))
                self.server.took.append((str(message["subject"]), body.get_content() if body else ""))
            self._say("221 bye" if word == "QUIT" else "250 sink.example")
            if word == "QUIT":
                return

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


class _Hook(http.server.BaseHTTPRequestHandler):
    server: "_Server"

    def do_POST(self) -> None:
        content: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.took.append((content["title"], content["message"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, handler: type[socketserver.BaseRequestHandler]) -> None:
        self.took: list[tuple[str, str]] = []
        super().__init__(("127.0.0.1", 0), handler)


class Sinks:
    """What arrived by mail and by webhook: titles and texts, in order."""

    def __init__(self, mail: _Server, hook: _Server) -> None:
        self.mail, self.hook = mail.took, hook.took
        to = f"mailto://127.0.0.1:{mail.server_address[1]}?from=night@example.com&to=oncall@example.com&mode=insecure"
        self.urls = f"{to}, json://127.0.0.1:{hook.server_address[1]}/"

    def take(self) -> list[tuple[str, str]]:
        """What came since the last look. Mail and webhook have been told the same."""
        mail, hook = self.mail.copy(), self.hook.copy()
        self.mail.clear()
        self.hook.clear()
        assert [title for title, _ in mail] == [title for title, _ in hook]
        return hook


@contextlib.contextmanager
def sinks() -> Iterator[Sinks]:
    with _Server(_Mail) as mail, _Server(_Hook) as hook:
        for server in (mail, hook):
            threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Sinks(mail, hook)
        mail.shutdown()
        hook.shutdown()
