"""``python -m ingestion`` in a process of its own, which stops where a test wants and waits for its word.

The functions of the landing are wrapped from outside; its code knows nothing of tests. The processes are forked from
one that has imported everything, dlt included: that saves two seconds each.
"""

import contextlib
import dataclasses
import functools
import importlib
import itertools
import multiprocessing
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import dlt  # noqa: F401
import dlt.destinations.impl.postgres.postgres  # noqa: F401

import ingestion.__main__
import ingestion.reading

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload([__name__])


@dataclasses.dataclass(frozen=True)
class Point:
    """A moment of a landing: before or after a function's nth call, or its nth call with ``text`` in an argument."""

    function: str
    """``package.module:Class.method``"""
    when: str = "before"
    nth: int = 1
    text: str = ""

    def __str__(self) -> str:
        call = self.function.partition(":")[2] + (f"({self.text.strip()})" if self.text else "()")
        return f"{self.when} {call}" + (f" no. {self.nth}" if self.nth > 1 else "")

    def arm(self, reached: Callable[[], None]) -> None:
        module, _, path = self.function.partition(":")
        owner: Any = importlib.import_module(module)
        *parents, name = path.split(".")
        for parent in parents:
            owner = getattr(owner, parent)
        original, calls = getattr(owner, name), itertools.count(1)

        @functools.wraps(original)
        def stopping(*arguments: Any, **options: Any) -> Any:
            counts = not self.text or any(self.text in value for value in arguments if isinstance(value, str))
            mine = counts and next(calls) == self.nth
            if mine and self.when == "before":
                reached()
            result = original(*arguments, **options)
            if mine and self.when == "after":
                reached()
            return result

        setattr(owner, name, stopping)


class Stoppable:
    """One landing that stops at ``point`` (if any), started at once."""

    def __init__(
        self,
        environment: Mapping[str, str],
        arguments: Sequence[str],
        point: Point | None,
        output: Path,
        chunk_rows: int | None = None,
        largest_file: int | None = None,
    ):
        self.point = point
        self.output = output
        self._end, other = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(
            target=_run, args=(dict(environment), list(arguments), point, output, chunk_rows, largest_file, other)
        )
        self._process.start()
        other.close()

    def wait(self, seconds: float = 60) -> int:
        """Until it stands at its point; returns which of its processes stands there."""
        assert self._end.poll(seconds), f"{self.point} was not reached in {seconds} s: {self.said()}"
        try:
            return int(self._end.recv())
        except EOFError:
            raise AssertionError(f"it ended before {self.point}: {self.said()}") from None

    def go(self) -> None:
        with contextlib.suppress(BrokenPipeError):  # a signal ended it where it stood
            self._end.send("go")

    def signal(self, number: int) -> None:
        assert self._process.pid
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        assert self.end() == -signal.SIGKILL

    def end(self, seconds: float = 60) -> int:
        """Wait for the process to end; returns its exit code."""
        self._process.join(seconds)
        if self._process.exitcode is None:
            self.signal(signal.SIGKILL)
            raise AssertionError(f"it did not end in {seconds} s: {self.said()}")
        return self._process.exitcode

    def discard(self) -> None:
        self._process.kill()
        self._process.join()

    def said(self) -> str:
        return self.output.read_text(encoding="utf-8") if self.output.exists() else ""


def _run(
    environment: dict[str, str],
    arguments: list[str],
    point: Point | None,
    output: Path,
    chunk_rows: int | None,
    largest_file: int | None,
    test: Connection,
) -> None:
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.environ.clear()
    os.environ.update(environment)
    if chunk_rows:
        ingestion.reading.CHUNK_ROWS = chunk_rows
    if largest_file:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    def reached() -> None:
        test.send(os.getpid())
        while not test.poll(0.1):
            time.sleep(0)
        test.recv()

    if point:
        point.arm(reached)
    code = ingestion.__main__.main(arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    sys.exit(code)
