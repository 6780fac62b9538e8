"""A MySQL that loses rows: a relay on loopback which leaves out packets of the server's that a test names."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def losing(host: str, port: int, lost: Callable[[bytes], bool]) -> Iterator[int]:
    """The port of a relay to MySQL that passes on all but packets whose content ``lost`` is true of."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener, (host, port), lost), daemon=True).start()
        yield int(listener.getsockname()[1])


def _accept(listener: socket.socket, server: tuple[str, int], lost: Callable[[bytes], bool]) -> None:
    with contextlib.suppress(OSError):  # closed: the test is over
        while True:
            client, _ = listener.accept()
            theirs = socket.create_connection(server)
            threading.Thread(target=_pass_on, args=(client, theirs), daemon=True).start()
            threading.Thread(target=_pass_on_packets, args=(theirs, client, lost), daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def _pass_on_packets(source: socket.socket, target: socket.socket, lost: Callable[[bytes], bool]) -> None:
    with contextlib.suppress(OSError), source.makefile("rb") as packets:
        while header := packets.read(4):
            content = packets.read(int.from_bytes(header[:3], "little"))
            if not lost(content):
                target.sendall(header + content)
        target.shutdown(socket.SHUT_WR)
