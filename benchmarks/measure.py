"""Shared by both benchmarks: servers with data, the cost of a program, and the report.

A program's CPU time and memory come from ``wait4``; those of the servers and of the machine from ``/proc``, so this
runs on Linux only.
"""

import concurrent.futures
import contextlib
import dataclasses
import json
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from benchmarks import FOLDER, PROJECT
from sandbox import home, mysql, postgres, source

RAW = "raw_classicmodels"
LOG = FOLDER / "last.log"
_TICKS = os.sysconf("SC_CLK_TCK")

Environment = dict[str, str]
Command = Sequence[str | Path]
Stream = int | IO[bytes] | None


class BenchmarkFailed(Exception):
    """A program failed or did other work than was to be measured."""


@dataclasses.dataclass
class Cost:
    """The cost of programs from the start of the first to the end of the last."""

    wall: float = 0.0
    """Seconds."""
    cpu: float = 0.0
    """Seconds, user and system, of the programs and their children, without the servers."""
    server_cpu: float = 0.0
    """The same of MySQL and Postgres."""
    other_cpu: float = 0.0
    """The same of everything else on the machine: near 0, or the measurement was disturbed."""
    memory: float = 0.0
    """Most MiB held by the programs and their children at one moment, looked at ten times a second."""

    def __add__(self, after: "Cost") -> "Cost":
        """Of both, one after the other."""
        return Cost(
            self.wall + after.wall,
            self.cpu + after.cpu,
            self.server_cpu + after.server_cpu,
            self.other_cpu + after.other_cpu,
            max(self.memory, after.memory),
        )

    @classmethod
    def median(cls, costs: Sequence["Cost"]) -> "Cost":
        """The median of each figure; of the memory the most."""
        figures = {
            field.name: round(statistics.median(getattr(cost, field.name) for cost in costs), 3)
            for field in dataclasses.fields(cls)
        }
        return cls(**figures | {"memory": round(max(cost.memory for cost in costs), 1)})


class Stopwatch:
    """Measures the programs started inside a ``with``; ``cost`` is there after it."""

    def __init__(self, environment: Environment):
        self.environment = environment
        self._usages: list[resource.struct_rusage] = []
        self._pids: set[int] = set()
        self._memory = 0.0
        self._ended = threading.Event()
        self._looking = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Stopwatch":
        with on_warehouse(admin=True) as cursor:
            cursor.execute("checkpoint")  # nobody pays for the writes of another
        self._log = LOG.open("wb")
        self._servers, self._machine, self._started = _server_seconds(), _machine_seconds(), time.monotonic()
        self._looking.start()
        return self

    def start(self, command: Command, stdin: Stream = None, stdout: Stream = None) -> "subprocess.Popen[bytes]":
        """Start a program; its output goes to the log, unless ``stdout`` says otherwise."""
        process = subprocess.Popen(
            command, cwd=PROJECT, env=self.environment, stdin=stdin, stdout=stdout or self._log, stderr=self._log
        )
        self._pids.add(process.pid)
        return process

    def start_pipe(self, commands: Sequence[Command]) -> "list[subprocess.Popen[bytes]]":
        """Start programs in a pipe, each reading from the one before."""
        started: list[subprocess.Popen[bytes]] = []
        for number, command in enumerate(commands, 1):
            before = started[-1].stdout if started else None
            started.append(self.start(command, before, subprocess.PIPE if number < len(commands) else None))
            if before:
                before.close()  # this process's copy: a reader that dies must stop its writer
        return started

    def wait(self, *processes: "subprocess.Popen[bytes]") -> None:
        for process in processes:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            self._usages.append(usage)
        for process in processes:
            if process.returncode:
                words = " ".join(map(str, process.args)) if isinstance(process.args, list) else str(process.args)
                raise BenchmarkFailed(f"{words} ended with {process.returncode}. {LOG} ends:\n{home.tail(LOG)}")

    def __exit__(self, *_: object) -> None:
        wall = time.monotonic() - self._started
        self._ended.set()
        self._looking.join()
        _wait_for_sessions_to_end()
        servers, machine = _server_seconds() - self._servers, _machine_seconds() - self._machine
        self._log.close()
        cpu = sum(usage.ru_utime + usage.ru_stime for usage in self._usages)
        self.cost = Cost(wall, cpu, servers, max(0.0, machine - cpu - servers), self._memory)

    def _look(self) -> None:
        while not self._ended.wait(0.1):
            self._memory = max(self._memory, memory(set(self._pids)))


def cost_of(command: Command, environment: Environment) -> Cost:
    with Stopwatch(environment) as watch:
        watch.wait(watch.start(command))
    return watch.cost


# servers and data


@contextlib.contextmanager
def servers() -> Iterator[dict[str, str]]:
    """The sandbox's own servers, up for as long as the benchmark runs; yields the variables for programs."""
    with home.locked():
        settings = mysql.start() | postgres.start()
    try:
        yield os.environ | settings
    finally:
        with home.locked():
            mysql.stop()
            postgres.stop()


def fill(scale: float) -> None:
    """Make the source hold generated data of this scale, in a process of its own.

    A program's peak memory starts at that of its parent process, so this one must stay small.
    """
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        pool.submit(_fill, scale).result()


def _fill(scale: float) -> None:
    with home.locked():
        source.ensure(None, scale, 1, postgres.reset)


@contextlib.contextmanager
def on_warehouse(*, admin: bool = False) -> Iterator[Any]:
    """A cursor of the warehouse's owner, or of the server's administrator; every statement commits."""
    opened = postgres.connect(home.read_state()[postgres.NAME])
    opened.autocommit = True
    try:
        with opened.cursor() as cursor:
            if not admin:
                cursor.execute("set role elt")
            yield cursor
    finally:
        opened.close()


@contextlib.contextmanager
def on_source() -> Iterator[Any]:
    """A cursor with all rights on the source; changes are committed at the end."""
    with mysql.connect(home.read_state()[mysql.NAME], mysql.DATABASE) as opened, opened.cursor() as cursor:
        yield cursor
        opened.commit()


def land(environment: Environment) -> tuple[Cost, list[dict[str, Any]]]:
    """Run ``python -m ingestion``; returns its cost, and its report per table."""
    report = FOLDER / "report.json"
    cost = cost_of([sys.executable, "-m", "ingestion", "--quiet", "--report", str(report)], environment)
    tables: list[dict[str, Any]] = json.loads(report.read_text(encoding="utf-8"))["tables"]
    return cost, tables


def forget_landings() -> None:
    """Drop everything made by landings, so that the next is a first one."""
    with on_warehouse() as cursor:
        cursor.execute(f"drop schema if exists {RAW} cascade")
        cursor.execute("drop schema if exists landing_classicmodels cascade")


def vacuum() -> None:
    """Do now the work that autovacuum has done before the next night's build, and would else do during it."""
    with on_warehouse(admin=True) as cursor:
        cursor.execute("vacuum analyze")


def change(share: float = 0.01) -> None:
    """Change this share of the orders at the source, each with all its lines, spread evenly by a hash of their numbers.

    Of ten of them eight are updated, one goes and one comes, as a copy of another: so it is with their lines. The size
    stays; every call picks other orders.
    """
    with on_source() as cursor:
        cursor.execute("select max(orderNumber) from orders")
        ((last,),) = cursor.fetchall()
        order = f"crc32(concat(orderNumber, '/', {last})) % {round(10 / share)}"
        for statement in (
            "create temporary table copies (position int auto_increment primary key, orderNumber int unique)",
            f"insert into copies (orderNumber) select orderNumber from orders where {order} = 9 order by orderNumber",
            f"delete from orderdetails where {order} = 8",
            f"delete from orders where {order} = 8",
            f"update orderdetails set quantityOrdered = quantityOrdered + 1 where {order} < 8",
            f"update orders set requiredDate = requiredDate + interval 1 day where {order} < 8",
            f"insert into orders select {last} + position, orderDate, requiredDate, shippedDate, status, comments,"
            " customerNumber from orders join copies using (orderNumber)",
            f"insert into orderdetails select {last} + position, productCode, quantityOrdered, priceEach,"
            " orderLineNumber from orderdetails join copies using (orderNumber)",
            "drop temporary table copies",
        ):
            cursor.execute(statement)


# the machine


def _wait_for_sessions_to_end() -> None:
    """A session in its last moment is in nobody's CPU time; Postgres' first process has it a moment later."""
    with on_warehouse(admin=True) as cursor:
        for _ in range(40):
            cursor.execute(
                "select count(*) from pg_stat_activity"
                " where backend_type = 'client backend' and pid <> pg_backend_pid()"
            )
            ended = cursor.fetchone() == (0,)
            time.sleep(0.05)
            if ended:
                return


def _server_seconds() -> float:
    """CPU seconds of both servers so far; Postgres' first process includes its ended children."""
    folder = home.servers_home()
    first = {
        int((folder / server / "data" / file).read_text().split()[0])
        for server, file in ((mysql.NAME, "server.pid"), (postgres.NAME, "postmaster.pid"))
    }
    ticks = 0
    for pid, status in processes().items():
        if pid in first or int(status[1]) in first:
            ticks += sum(map(int, status[11:15] if pid in first else status[11:13]))
    return ticks / _TICKS


def processes() -> dict[int, list[str]]:
    """The fields of /proc of all processes, after their names: state, parent, ..."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            found[int(stat.parent.name)] = stat.read_text().rpartition(")")[2].split()
    return found


def _machine_seconds() -> float:
    """CPU seconds of all processes so far: user, nice, system, interrupts."""
    user, nice, system, _, _, *interrupts = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:8])
    return (user + nice + system + sum(interrupts)) / _TICKS


def memory(pids: set[int]) -> float:
    """MiB held by these processes and their children; of a shared page, each has its part."""
    parents = {pid: int(status[1]) for pid, status in processes().items()}
    while more := {pid for pid, parent in parents.items() if parent in pids} - pids:
        pids |= more
    kilobytes = 0
    for pid in pids:
        with contextlib.suppress(OSError, StopIteration):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            kilobytes += int(next(line for line in lines if line.startswith("Pss:")).split()[1])
    return kilobytes / 1024


# the report


class Machine:
    """How busy the machine is with other things, so that a reader can trust the figures."""

    def __init__(self) -> None:
        self.cores = len(os.sched_getaffinity(0))
        self.at_start = round(os.getloadavg()[0], 2)
        if self.at_start > self.cores / 4:
            print(f"warning: the machine is busy (load average {self.at_start}); the figures will not be good")

    def describe(self, costs: Sequence[Cost]) -> dict[str, Any]:
        """Prints one line, and a warning when other programs were at work during the measurements."""
        wall, other = sum(cost.wall for cost in costs), sum(cost.other_cpu for cost in costs)
        share = other / (wall * self.cores) if wall else 0.0
        at_end = round(os.getloadavg()[0], 2)
        print(
            f"\nmachine: {self.cores} cores, load average {self.at_start} at the start and {at_end} at the end;"
            f" other programs used {share:.0%} of it meanwhile"
        )
        if share > 0.05:
            print("warning: the machine was busy with other things; run again when it is quiet")
        return {"cores": self.cores, "load_at_start": self.at_start, "load_at_end": at_end, "other_share": share}


def table(rows: Mapping[str, Cost], unit: Cost | None) -> None:
    """Print costs, with the ratio of the wall time to that of ``unit``."""
    print(f"\n{'':<34}{'wall s':>9}{'ratio':>8}{'CPU s':>9}{'servers s':>11}{'others s':>10}{'memory MiB':>12}")
    for name, cost in rows.items():
        ratio = f"{cost.wall / unit.wall:.2f}" if unit else "-"
        print(
            f"{name:<34}{cost.wall:>9.2f}{ratio:>8}{cost.cpu:>9.2f}{cost.server_cpu:>11.2f}{cost.other_cpu:>10.2f}"
            f"{cost.memory:>12.0f}"
        )
    print("Servers' CPU is not in CPU.")


def goal(what: str, value: float, limit: float, unit: str = "") -> None:
    """Print whether a goal was reached."""
    print(f"  {'reached' if value <= limit else 'MISSED ':<8} {what}: {value:.2f}{unit}, goal at most {limit:g}{unit}")


def write_report(name: str, content: Mapping[str, Any]) -> None:
    file = PROJECT / "reports" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(content, indent=1, default=dataclasses.asdict) + "\n", encoding="utf-8")
    print(f"All figures are in {file.relative_to(PROJECT)}.")


def main(run: Callable[[], None]) -> int:
    """Run a benchmark; a failure is told in a few lines."""
    if not Path("/proc/stat").exists():
        print("error: the benchmarks read /proc, which only Linux has", file=sys.stderr)
        return 1
    FOLDER.mkdir(parents=True, exist_ok=True)
    try:
        run()
    except (BenchmarkFailed, home.SandboxError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0
