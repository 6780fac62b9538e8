"""dlt loads the files in a process of its own: the thread that reads MySQL has this one's interpreter to itself."""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ingestion.plan import Table
from ingestion.settings import Settings

Chunk = tuple[Table, Path, int]
"""A table, a CSV file with a header, and the number of its rows."""

Answer = tuple[str, dict[str, str]]
"""The load's id and, by staged name, why a table failed."""

_FORKS = sys.platform == "linux"
"""Elsewhere a copy of a process cannot be trusted with the system's libraries."""


class StageUnavailable(Exception):
    """The warehouse could not be loaded. What was published before is untouched."""


class Stage:
    """The process, started while this one has no threads yet; dlt is imported there, which takes a second."""

    def __init__(self, settings: Settings, folder: Path, sockets: Sequence[int], *, at_once: bool):
        """``at_once``: import dlt now, not when there is a file to load.

        ``sockets`` are those of this process's connections, which a copy must not keep open when this one dies.
        """
        context: Any = multiprocessing.get_context("fork" if _FORKS else "spawn")
        self._pipe, theirs = context.Pipe()
        arguments = (theirs, settings, folder, os.getpid(), tuple(sockets) if _FORKS else (), at_once)
        self._process = context.Process(target=_serve, args=arguments, name="stage", daemon=True)
        self._process.start()
        theirs.close()

    def copy(self, chunks: Sequence[Chunk]) -> Answer:
        """Load the files and remove them.

        Raises:
            StageUnavailable: the warehouse went away, a disk is full, or the process was ended.
        """
        try:
            self._pipe.send(chunks)
            answer: Answer | StageUnavailable = self._pipe.recv()
        except (EOFError, OSError):
            self._process.join(1)
            raise StageUnavailable(
                f"The process that loads ended (exit code {self._process.exitcode}). Nothing was published; run again."
            ) from None
        if isinstance(answer, StageUnavailable):
            raise answer
        return answer

    def close(self) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()


def _serve(
    pipe: Connection, settings: Settings, folder: Path, parent: int, sockets: Sequence[int], at_once: bool
) -> None:
    """The other process: loads what it is sent until its parent ends it, or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: the parent hears it too
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for socket in sockets:
        os.close(socket)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    from ingestion.pipeline import Pipeline, reason

    pipeline: Pipeline | None = None
    if at_once:
        with contextlib.suppress(Exception):  # it is tried again, and told, when there is something to load
            pipeline = Pipeline(settings, folder)
    with contextlib.suppress(EOFError, OSError):  # of the pipe: the parent is gone
        while True:
            chunks = pipe.recv()
            answer: Answer | StageUnavailable
            try:
                pipeline = pipeline or Pipeline(settings, folder)
                answer = pipeline.copy(chunks)
            except Exception as error:
                answer = StageUnavailable(reason(error, settings))
            pipe.send(answer)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.1)
    os._exit(1)
