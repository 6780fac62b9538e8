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
"""dlt's load id and, by staged name, why a table failed."""

_FORKS = sys.platform == "linux"
"""Elsewhere a copy of a process cannot be trusted with the system's libraries."""


class StageUnavailable(Exception):
    """The warehouse could not be loaded. What was published before is untouched."""


class Stage:
    """The process, started while this one has no threads yet. It imports dlt when that is first needed."""

    def __init__(self, settings: Settings, folder: Path, sockets: Sequence[int]):
        """``sockets``: those of this process's connections, which the copy must not keep open when this one dies."""
        context: Any = multiprocessing.get_context("fork" if _FORKS else "spawn")
        self._pipe, theirs = context.Pipe()
        arguments = (theirs, settings, folder, os.getpid(), tuple(sockets) if _FORKS else ())
        self._process = context.Process(target=_serve, args=arguments, name="stage", daemon=True)
        self._process.start()
        theirs.close()

    def prepare(self) -> None:
        """Import dlt, which takes a second, without waiting for it."""
        self._send([])

    def copy(self, chunks: Sequence[Chunk]) -> Answer:
        """Load the files and remove them.

        Raises:
            StageUnavailable: the warehouse went away, its disk is full, or the process was ended.
            OSError: of the work folder.
        """
        self._send(chunks)
        try:
            answer: Answer | Exception = self._pipe.recv()
        except (EOFError, OSError):
            raise self._ended() from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def _send(self, chunks: Sequence[Chunk]) -> None:
        try:
            self._pipe.send(chunks)
        except OSError:
            raise self._ended() from None

    def _ended(self) -> StageUnavailable:
        self._process.join(1)
        return StageUnavailable(
            f"The process that loads ended (exit code {self._process.exitcode}). Nothing was published; run again."
        )


def _serve(pipe: Connection, settings: Settings, folder: Path, parent: int, sockets: Sequence[int]) -> None:
    """The other process: loads what it is sent until its parent ends it, or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: the parent hears it too
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for socket in sockets:
        os.close(socket)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    from ingestion.pipeline import Pipeline

    pipeline: Pipeline | None = None
    with contextlib.suppress(EOFError, OSError):
        while True:
            chunks = pipe.recv()
            answer: Answer | Exception
            try:
                pipeline = pipeline or Pipeline(settings, folder)
                answer = pipeline.copy(chunks) if chunks else ("", {})
            except (StageUnavailable, OSError) as error:
                answer = error
            except Exception as error:  # its message may quote rows
                kind = type(error).__name__
                answer = StageUnavailable(f"The load failed ({kind}). Nothing was published; run again.")
            if chunks:
                pipe.send(answer)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.1)
    os._exit(1)
