"""A stand-in for Redshift, for tests: Redshift's clients on one side, PostgreSQL on the other.

It speaks the wire protocol as far as ``redshift_connector`` and libpq use it, and changes three things: the session looks
like Redshift's, statements are rewritten (``rewrite``; ``system.sql`` has the functions and views), and a statement that
Redshift would refuse is refused. It shows that the adapter, the macros and the order of statements fit together. It knows
nothing of Redshift's planner, rounding, late binding or speed, and of byte lengths only where COPY and ``||`` meet them.
"""

import dataclasses
import re
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg2
from scramp import ScramClient  # type: ignore[import-untyped]

from tests.redshift.rewrite import NotSupported, rewrite

_SSL, _CANCEL = 80877103, 80877102
_OPTIONS = (
    "-c search_path=redshift,pg_catalog,public -c timezone=UTC"
    " -c standard_conforming_strings=off -c escape_string_warning=off"
)


@dataclasses.dataclass(frozen=True)
class Backend:
    """The PostgreSQL behind, and its administrator."""

    port: int
    database: str
    admin: str
    admin_password: str

    def connect(self, database: str | None = None) -> Any:
        """A connection of the administrator, past the proxy, that commits at once."""
        connection = psycopg2.connect(
            host="127.0.0.1",
            port=self.port,
            user=self.admin,
            password=self.admin_password,
            dbname=database or self.database,
            options="-c timezone=UTC",
        )
        connection.autocommit = True
        return connection

    def create(self, user: str, password: str, reader: str) -> None:
        """An empty database with Redshift's functions and views, owned by ``user``; ``reader`` has no rights yet."""
        connection = self.connect("postgres")
        with connection.cursor() as cursor:
            cursor.execute(f"drop database if exists {self.database} with (force)")
            cursor.execute("select rolname from pg_roles")
            for role in {user, reader} - {name for (name,) in cursor.fetchall()}:
                cursor.execute(f"create role {role} login")
            cursor.execute(f"alter role {user} password %s", (password,))
            cursor.execute(f"create database {self.database} owner {user}")
        connection.close()
        connection = self.connect()
        with connection.cursor() as cursor:
            cursor.execute((Path(__file__).parent / "system.sql").read_text(encoding="utf-8"))
        connection.close()


class Proxy:
    """Listens on 127.0.0.1, over TLS only, until it is closed."""

    def __init__(
        self,
        backend: Backend,
        certificate: Path,
        violations: Callable[[str], Sequence[object]],
        copy: Any,
    ):
        """``certificate``: a PEM file with key and certificate; ``violations``: what Redshift has against a statement.

        ``copy`` is called with a COPY, runs it and returns why it failed.
        """
        self.backend = backend
        self.statements: list[str] = []
        """Every statement as it was sent."""
        self.refused: list[str] = []
        """Why statements were refused."""
        self.before: Callable[[str], None] = lambda sql: None
        """What a test does before a statement is run."""
        self.copy, self._violations = copy, violations
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(certificate)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        session = _Session(self, client)
        try:
            session.run()
        except (OSError, EOFError, ssl.SSLError):
            pass  # one side went away
        finally:
            session.client.close()

    def prepare(self, sql: str) -> tuple[str, bytes]:
        """The statement for PostgreSQL, and nothing; or the error with which Redshift would answer."""
        self.statements.append(sql)
        self.before(sql)
        try:
            found = self._violations(sql)
            if not found and sql.lower().startswith("copy "):
                failure = self.copy(sql)
                return ("", _error("XX000", failure)) if failure else ("select 1 where false", b"")
            if not found:
                return rewrite(sql), b""
            reason = "Redshift does not support: " + "; ".join(dict.fromkeys(map(str, found)))
        except NotSupported as error:
            reason = str(error)
        self.refused.append(reason)
        return "", _error("0A000", reason)


class _Session:
    """One client and its own connection to PostgreSQL."""

    def __init__(self, proxy: Proxy, client: socket.socket):
        self.proxy, self.client = proxy, client
        self.refusals: list[bytes] = []

    def run(self) -> None:
        parameters = self._start()
        if parameters is None:
            return
        self.client.sendall(_message(b"R", struct.pack("!i", 3)))  # the password, please: TLS is on
        _, body = _read(self.client)
        server = socket.create_connection(("127.0.0.1", self.proxy.backend.port))
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with server:
            self._log_in(server, parameters, body.rstrip(b"\0").decode())
            self._relay(server)

    def _relay(self, server: socket.socket) -> None:
        """Hand messages over in both directions, in one thread: a TLS socket bears no two."""
        assert isinstance(self.client, ssl.SSLSocket)
        received = {self.client: bytearray(), server: bytearray()}
        while True:
            ready = [self.client] if self.client.pending() else select.select([self.client, server], [], [])[0]
            for side in ready:
                data = side.recv(1 << 16)
                if not data:
                    return
                received[side] += data
                change, other = (self._asked, server) if side is self.client else (self._answered, self.client)
                other.sendall(b"".join(_message(kind, change(kind, body)) for kind, body in _messages(received[side])))

    def _start(self) -> dict[str, str] | None:
        """The start-up parameters; None for a request to cancel, which is handed on."""
        while True:
            (length,) = struct.unpack("!i", _exactly(self.client, 4))
            packet = _exactly(self.client, length - 4)
            (code,) = struct.unpack("!i", packet[:4])
            if code == _SSL:
                self.client.sendall(b"S")
                self.client = self.proxy.tls.wrap_socket(self.client, server_side=True)
            elif code == _CANCEL:
                with socket.create_connection(("127.0.0.1", self.proxy.backend.port)) as server:
                    server.sendall(struct.pack("!i", length) + packet)
                return None
            elif not isinstance(self.client, ssl.SSLSocket):
                self.client.sendall(_message(b"E", _error("28000", "TLS is required")))
                return None
            else:
                words = packet[4:].decode().split("\0")
                return dict(zip(words[0::2], words[1::2], strict=False))

    def _log_in(self, server: socket.socket, parameters: dict[str, str], password: str) -> None:
        """As the same user, with the same password; what Redshift's drivers add to the start-up is left out."""
        wanted = {key: parameters[key] for key in ("user", "database", "application_name") if key in parameters}
        wanted |= {"client_encoding": "UTF8", "options": _OPTIONS}
        packed = b"".join(f"{key}\0{value}\0".encode() for key, value in wanted.items()) + b"\0"
        server.sendall(struct.pack("!ii", len(packed) + 8, 196608) + packed)
        scram = ScramClient(["SCRAM-SHA-256"], wanted["user"], password)
        while True:
            kind, body = _read(server)
            state = struct.unpack("!i", body[:4])[0] if kind == b"R" else 0
            if state == 10:
                first = scram.get_client_first().encode()
                server.sendall(_message(b"p", b"SCRAM-SHA-256\0" + struct.pack("!i", len(first)) + first))
            elif state == 11:
                scram.set_server_first(body[4:].decode())
                server.sendall(_message(b"p", scram.get_client_final().encode()))
            elif state == 12:
                scram.set_server_final(body[4:].decode())
            else:
                if kind == b"S" and body.startswith(b"server_version\0"):
                    body = b"server_version\x008.0.2\0"
                self.client.sendall(_message(kind, body))
                if kind == b"E":
                    raise EOFError
                if kind == b"Z":
                    return

    def _asked(self, kind: bytes, body: bytes) -> bytes:
        """A message of the client's, with its SQL rewritten. What is refused becomes a statement that cannot be parsed."""
        if kind not in (b"Q", b"P"):
            return body
        name, rest = (b"", body) if kind == b"Q" else body.split(b"\0", 1)
        text, types = rest.split(b"\0", 1)
        sql, refusal = self.proxy.prepare(text.decode())
        if refusal:
            self.refusals.append(refusal)
            sql = "refused"
        return (b"" if kind == b"Q" else name + b"\0") + sql.encode() + b"\0" + types

    def _answered(self, kind: bytes, body: bytes) -> bytes:
        """A message of PostgreSQL's; its error about a refused statement is replaced by the reason.

        What is wrong with a value (class 22) is an internal error of Redshift's.
        """
        if kind != b"E":
            return body
        return self.refusals.pop(0) if self.refusals else re.sub(rb"\0C22...\0", b"\0CXX000\0", body, count=1)


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def _error(code: str, message: str) -> bytes:
    return f"SERROR\0C{code}\0M{message}\0\0".encode()


def _messages(received: bytearray) -> Iterator[tuple[bytes, bytes]]:
    """Takes the whole messages off what was received."""
    while len(received) >= 5:
        kind, length = struct.unpack("!ci", received[:5])
        if len(received) <= length:
            return
        body = bytes(received[5 : length + 1])
        del received[: length + 1]
        yield kind, body


def _read(connection: socket.socket) -> tuple[bytes, bytes]:
    kind, length = struct.unpack("!ci", _exactly(connection, 5))
    return kind, _exactly(connection, length - 4)


def _exactly(connection: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        more = connection.recv(length - len(data))
        if not more:
            raise EOFError
        data += more
    return data
