"""What lies between a client and its server: relays that listen, one that ends TLS, and thieves that ask for passwords."""

import contextlib
import datetime
import ipaddress
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
_GSS_REQUEST = struct.pack("!ii", 8, 80877104)
Serve = Callable[["Listener", socket.socket], None]


class Authority:
    """A certificate authority made on the spot; its certificate is in ``file``."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "An authority of the tests")])
        self._identifier = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        certificate = self._sign(self._name, self._key, x509.BasicConstraints(ca=True, path_length=0), [])
        self.file = folder / "authority.pem"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def server(self, *names: str, ends: datetime.timedelta = datetime.timedelta(days=1)) -> tuple[Path, Path]:
        """Certificate and key of a server of these names and addresses; it ends so long from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
        certificate = self._sign(subject, key, x509.BasicConstraints(ca=False, path_length=None), names, ends)
        files = self._folder / "server.pem", self._folder / "server.key"
        files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        files[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        files[1].chmod(0o600)
        return files

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        constraints: x509.BasicConstraints,
        names: tuple[str, ...] | list[str],
        ends: datetime.timedelta = datetime.timedelta(days=1),
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (
            x509.CertificateBuilder(self._name, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + ends)
            .add_extension(constraints, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(self._identifier), critical=False
            )
            .add_extension(_usage(constraints.ca), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), False)
        return builder.sign(self._key, hashes.SHA256())


class Listener:
    """A port on a loopback address; ``heard`` is all that clients sent to it."""

    def __init__(self, serve: Serve, address: str = "127.0.0.1") -> None:
        self.heard = b""
        self._serve = serve
        self._lock = threading.Lock()
        self._socket = socket.create_server((address, 0))
        self.port = int(self._socket.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def hear(self, data: bytes) -> bytes:
        with self._lock:
            self.heard += data
        return data

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            client.settimeout(60)
            threading.Thread(target=self._attend, args=(client,), daemon=True).start()

    def _attend(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            self._serve(self, client)


def relay(port: int) -> Serve:
    """Hand everything on to the server at ``port``."""

    def serve(wire: Listener, client: socket.socket) -> None:
        _couple(wire, client, socket.create_connection(("127.0.0.1", port)))

    return serve


def ends_tls(port: int, certificate: Path, key: Path) -> Serve:
    """Speak TLS to the client, as a connection pooler does, and hand on to a Postgres without it."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    def serve(wire: Listener, client: socket.socket) -> None:
        while (request := client.recv(8)) == _GSS_REQUEST:
            client.sendall(b"N")
        if request != _SSL_REQUEST:
            return  # no plain text here
        client.sendall(b"S")
        with context.wrap_socket(client, server_side=True) as inside:
            _couple(wire, inside, socket.create_connection(("127.0.0.1", port)))

    return serve


def thief_of_postgres(wire: Listener, client: socket.socket) -> None:
    """Has no TLS, and asks whoever comes for the password in clear."""
    while (request := wire.hear(client.recv(8192))) in (_SSL_REQUEST, _GSS_REQUEST):
        client.sendall(b"N")
    if request:
        client.sendall(b"R" + struct.pack("!ii", 8, 3))
        wire.hear(client.recv(8192))


def thief_of_mysql(wire: Listener, client: socket.socket) -> None:
    """Has no TLS, and asks whoever comes for the password in clear."""
    capabilities = 0x000FF7DF  # all of protocol 4.1 and plug-in logins, without SSL (0x800)
    greeting = b"\x0a8.4.0\0" + struct.pack("<I", 1) + b"12345678\0" + struct.pack("<H", capabilities & 0xFFFF)
    greeting += b"\x2d" + struct.pack("<HH", 2, capabilities >> 16) + b"\x15" + bytes(10) + b"123456789012\0"
    greeting += b"mysql_native_password\0"
    client.sendall(len(greeting).to_bytes(3, "little") + b"\0" + greeting)
    if wire.hear(client.recv(8192)):
        switch = b"\xfemysql_clear_password\0"
        client.sendall(len(switch).to_bytes(3, "little") + b"\x02" + switch)
        wire.hear(client.recv(8192))


@contextlib.contextmanager
def listening(serve: Serve, address: str = "127.0.0.1") -> Iterator[Listener]:
    wire = Listener(serve, address)
    yield wire
    wire.close()


def _couple(wire: Listener, client: socket.socket, server: socket.socket) -> None:
    """Copy both ways until either side ends; in one thread, since OpenSSL reads and writes of one session must be."""
    with server:
        while True:
            has_more = isinstance(client, ssl.SSLSocket) and client.pending()
            ready = [client] if has_more else select.select([client, server], [], [], 60)[0]
            if client in ready:
                if not (data := wire.hear(client.recv(65536))):
                    return
                server.sendall(data)
            if server in ready:
                if not (data := server.recv(65536)):
                    return
                client.sendall(data)
            if not ready:
                return


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
