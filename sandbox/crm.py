"""A small CRM to push to, for a machine that has none: customers by number, over HTTP on 127.0.0.1, in a SQLite file.

PUT /customers/103      the fields of a customer, a JSON object; 422 if one is not its own
DELETE /customers/103   the customer goes; 404 if it is not there
GET /customers          all of them, by number

A request whose ``Idempotency-Key`` it has answered before changes nothing, and gets that answer again.
"""

import contextlib
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FIELDS = {
    "segment": str,
    "value_score": int,
    "repurchase_probability": float | None,
    "is_over_limit": bool,
    "is_overdue": bool,
}
Trouble = Callable[["Handler", str], bool]
"""Called ``before`` and ``after`` a request takes effect; True: it has answered, or never will."""


class Crm(ThreadingHTTPServer):
    def __init__(self, file: Path, trouble: Trouble | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.trouble, self.lock = trouble or (lambda handler, when: False), threading.Lock()
        self.state = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self.state.execute("create table if not exists customers (number integer primary key, fields text)")
        self.state.execute("create table if not exists answers (key text primary key, number integer, status integer)")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def customers(self) -> dict[int, dict[str, object]]:
        with self.lock:
            return {number: json.loads(fields) for number, fields in self.state.execute("select * from customers")}

    def effect(self, method: str, number: int, fields: object, key: str) -> int:
        """The status of the answer; the change and the answer's record are one transaction."""
        with self.lock:
            known = self.state.execute("select status from answers where key = ?", (key,)).fetchone()
            if known:
                return int(known[0])
            self.state.execute("begin")
            status = self._change(method, number, fields)
            self.state.execute("insert into answers values (?, ?, ?)", (key, number, status))
            self.state.execute("commit")
            return status

    def _change(self, method: str, number: int, fields: object) -> int:
        if method == "DELETE":
            return 204 if self.state.execute("delete from customers where number = ?", (number,)).rowcount else 404
        if not isinstance(fields, dict) or any(
            name not in FIELDS or not isinstance(value, FIELDS[name]) for name, value in fields.items()
        ):
            return 422
        self.state.execute("insert or replace into customers values (?, ?)", (number, json.dumps(fields)))
        return 200


class Handler(BaseHTTPRequestHandler):
    server: Crm

    def do_PUT(self) -> None:  # noqa: N802
        number = self.path.removeprefix("/customers/")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        key = self.headers.get("Idempotency-Key")
        if not number.isdecimal() or not key:
            return self.answer(400)
        if self.server.trouble(self, "before"):
            return None
        status = self.server.effect(self.command, int(number), json.loads(body or b"null"), key)
        if self.server.trouble(self, "after"):
            return None
        return self.answer(status)

    do_DELETE = do_PUT  # noqa: N815

    def do_GET(self) -> None:  # noqa: N802
        self.answer(200, json.dumps(self.server.customers(), sort_keys=True))

    def answer(self, status: int, body: str = "", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextlib.contextmanager
def running(file: Path, trouble: Trouble | None = None) -> Iterator[Crm]:
    server = Crm(file, trouble)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        server.state.close()
