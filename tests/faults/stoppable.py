"""``python -m ingestion`` in a process of its own, which stops where a test wants and waits for its word.

It stops where the landing says by name that it has come to a step (``landing.steps``), or after a step of dlt's own
pipeline. The processes are forked from one that has imported everything, dlt included: that saves two seconds each.
"""

import contextlib
import dataclasses
import functools
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

import dlt

import ingestion.__main__
from landing import steps

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload([__name__])


@dataclasses.dataclass(frozen=True)
class Point:
    """A moment of a landing: the nth time that it reaches a step, or does so about something that has ``text`` in it."""

    step: str
    """One of ``landing.steps.STEPS``, or of dlt's pipeline: ``dlt extract``, ``dlt normalize``, ``dlt load``."""
    nth: int = 1
    text: str = ""

    def __str__(self) -> str:
        name = self.step + (f" ({self.text.strip()})" if self.text else "")
        return name + (f" no. {self.nth}" if self.nth > 1 else "")

    def arm(self, reached: Callable[[], None]) -> None:
        calls = itertools.count(1)

        def watch(step: str, about: str) -> None:
            if step == self.step and self.text in about and next(calls) == self.nth:
                reached()

        assert self.step in steps.STEPS or self.step.startswith("dlt ")
        steps.watchers.append(watch)
        if self.step.startswith("dlt "):
            name = self.step.removeprefix("dlt ")
            original = getattr(dlt.Pipeline, name)

            @functools.wraps(original)
            def stopping(*arguments: Any, **options: Any) -> Any:
                result = original(*arguments, **options)
                watch(self.step, "")
                return result

            setattr(dlt.Pipeline, name, stopping)


class Stoppable:
    """One landing that stops at ``point`` (if any), started at once."""

    def __init__(
        self,
        environment: Mapping[str, str],
        arguments: Sequence[str],
        point: Point | None,
        output: Path,
        largest_file: int | None = None,
    ):
        self.point = point
        self.output = output
        self._end, other = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(
            target=_run, args=(dict(environment), list(arguments), point, output, largest_file, other)
        )
        self._process.start()
        other.close()

    def wait(self, seconds: float = 60) -> int:
        """Until it stands at its point; returns its process."""
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
    largest_file: int | None,
    test: Connection,
) -> None:
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.environ.clear()
    os.environ.update(environment)
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
