"""The landing against a raw copy of the same tables: python -m benchmarks.landing --help, or make bench.

Every round, in this order, all on the same servers:

Raw pipe              mariadb --quick into psql's COPY, two tables at a time, into empty tables: the floor.
Raw pipe, checked     The same, then both servers add up a CRC32 of every row: the floor of a checked copy.
Ours, first load      python -m ingestion with nothing there, to the end: read, verified, published.
Ours, 1 % changed     The same after 1 % of orders and of order lines changed, read by the binary log.
Ours, 0.01 % changed  The same with a hundredth of the orders.
Ours, nothing changed The log names nothing.
..., all read         1 % and nothing changed without the log (INGEST_BINLOG=false): everything is read and compared.
Peers                 With --peers: stock dlt in its fastest configuration, and pgloader if it is installed.

The figures are medians over the rounds. A figure counts only if the program did its work: the pipe's rows are ours,
our report has the changes that were made, a peer has as many rows per table.
"""

import argparse
import concurrent.futures
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from benchmarks import FOLDER, PROJECT, measure
from benchmarks.measure import RAW, BenchmarkFailed, Command, Cost, Environment, Stopwatch
from benchmarks.peers import CONFIGURATIONS
from landing.names import quote, quote_mysql, snake_case
from sandbox import home, postgres
from sandbox.prerequisites import find

PIPE, CHECKED_PIPE, FIRST, CHANGED, FEW, SAME, CHANGED_ALL, SAME_ALL = (
    "raw pipe, two tables at a time",
    "raw pipe, checked",
    "ours, first load",
    "ours, 1 % changed",
    "ours, 0.01 % changed",
    "ours, nothing changed",
    "ours, 1 % changed, all read",
    "ours, nothing changed, all read",
)
LANDINGS = (FIRST, CHANGED, FEW, SAME, CHANGED_ALL, SAME_ALL)
READ_ALL = {"INGEST_BINLOG": "false"}
PEER = "connectorx-parquet"
TEXTS = ("char", "varchar", "text", "mediumtext", "longtext")
LINEAR = [10.0, 100.0, 1000.0]


def run(options: argparse.Namespace) -> None:
    machine = measure.Machine()
    with measure.servers() as environment:
        python = peer_environment() if options.peers else None
        linear = [linearity(scale, options.rounds, environment) for scale in options.linear or []]
        measure.fill(options.scale)
        warm_up(environment)  # the pipe's tables are made from its types
        costs: dict[str, list[Cost]] = defaultdict(list)
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", flush=True)
            rows = one_round(environment, costs)
            if python:
                for name in options.peers:
                    costs[f"dlt, {name}"].append(peer([python, "benchmarks/peers.py", name], environment))
            if python and (loader := find("pgloader")):
                costs["pgloader"].append(pgloader(loader, environment))
        report(options, machine, rows, costs, linear)


def warm_up(environment: Environment) -> None:
    """A first load without a measurement: rows get into the source's memory, Python's modules are compiled."""
    measure.forget_landings()
    measure.land(environment)


def one_round(environment: Environment, costs: dict[str, list[Cost]]) -> int:
    """The pipe and the landings; returns the rows of the first."""
    piped = pipe(environment)
    if piped:
        costs[PIPE].append(piped)
        costs[CHECKED_PIPE].append(piped + check_pipe(environment))
    measure.forget_landings()
    cost, tables = measure.land(environment)
    costs[FIRST].append(cost)
    rows = sum(int(table["rows"]) for table in tables)
    expect("the first load", sum(table["inserted"] for table in tables), rows, rows)
    if piped:
        compare_with_pipe()
    for name, share, settings in (
        *((CHANGED, 0.01, {}), (FEW, 0.0001, {}), (SAME, 0.0, {})),
        *((CHANGED_ALL, 0.01, READ_ALL), (SAME_ALL, 0.0, READ_ALL)),
    ):
        if share:
            measure.change(share)
        cost, tables = measure.land(environment | settings)
        costs[name].append(cost)
        touched = sum(table[what] for table in tables for what in ("inserted", "updated", "deleted"))
        expect(name, touched, share / 4 * rows, share * 2 * rows)
        if settings:
            continue
        read = sum(table["loaded"] for table in tables)
        print(f"  {name}: {read:,} rows read, {touched:,} changed", flush=True)
        expect(f"{name}: reading", read, touched / 2, touched * 3)
    return rows


def expect(what: str, touched: int, least: float, most: float) -> None:
    if not least <= touched <= most:
        raise BenchmarkFailed(f"{what} touched {touched} rows; {least:.0f} to {most:.0f} were expected.")


# the floor


def source_tables() -> dict[str, list[tuple[str, str]]]:
    """Names and types of the columns of every table, the largest table first."""
    with measure.on_source() as cursor:
        cursor.execute(
            "select t.table_name, c.column_name, c.data_type from information_schema.tables t"
            " join information_schema.columns c using (table_schema, table_name) where t.table_schema = database()"
            " order by t.table_rows desc, t.table_name, c.ordinal_position"
        )
        tables: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for table, column, data_type in cursor.fetchall():
            tables[table].append((column, data_type))
    return tables


def pipe(environment: Environment) -> Cost | None:
    """Copy all tables into schema ``pipe``; None if there is no client.

    The client's batch format escapes tabs, line breaks and backslashes as COPY reads them. It prints NULL as the word.
    No text of the generated data is that word: ``compare_with_pipe`` would tell. Bytes go as hex. COPY refuses carriage
    returns, so ``sed`` escapes them in the few tables with any.
    """
    client = find("mariadb", "mysql")
    if client is None:
        print("There is no mariadb or mysql client on PATH: no raw pipe, no ratios.")
        return None
    tables = source_tables()
    with_returns = set()
    with measure.on_source() as cursor:
        for table, columns in tables.items():
            texts = [f"instr({quote_mysql(name)}, char(13))" for name, kind in columns if kind in TEXTS]
            cursor.execute(
                f"select exists (select 1 from {quote_mysql(table)} where {' or '.join(texts or ['false'])})"
            )
            if cursor.fetchone() == (1,):
                with_returns.add(table)
    with measure.on_warehouse() as cursor:
        cursor.execute("drop schema if exists pipe cascade")
        cursor.execute("create schema pipe")
        for table in map(snake_case, tables):
            cursor.execute(f"create table pipe.{quote(table)} as select * from {RAW}.{quote(table)} with no data")
            cursor.execute(f"alter table pipe.{quote(table)} drop column _loaded_at")
    with Stopwatch(environment | {"MYSQL_PWD": environment["MYSQL_PASSWORD"]}) as watch:

        def copy(table: str) -> None:
            columns = [
                f"concat('\\\\x', hex({quote_mysql(name)}))" if kind.endswith("blob") else quote_mysql(name)
                for name, kind in tables[table]
            ]
            select = f"select {', '.join(columns)} from {quote_mysql(table)}"
            programs = [mysql_client(client, environment, select)]
            if table in with_returns:
                programs.append(["sed", r"s/\r/\\r/g"])
            load = f"copy pipe.{quote(snake_case(table))} from stdin with (null 'NULL', encoding 'utf8')"
            programs.append(psql(load))
            watch.wait(*watch.start_pipe(programs))

        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(copy, tables))
    return watch.cost


def check_pipe(environment: Environment) -> Cost:
    """Count the rows on both sides and add up a CRC32 of each, two tables at a time."""
    client = find("mariadb", "mysql")
    tables = source_tables()
    results = FOLDER / "sums"
    results.mkdir(exist_ok=True)
    with Stopwatch(environment | {"MYSQL_PWD": environment["MYSQL_PASSWORD"]}) as watch:

        def add_up(table: str) -> None:
            theirs, ours = [], []
            for name, kind in tables[table]:
                source, copy = quote_mysql(name), quote(snake_case(name))
                text = f"hex({source})" if kind.endswith("blob") else f"convert({source} using utf8mb4)"
                theirs.append(f"ifnull({text}, 'NULL')")
                text = f"upper(encode({copy}, 'hex'))" if kind.endswith("blob") else f"{copy}::text"
                ours.append(f"coalesce({text}, 'NULL')")
            programs = (
                mysql_client(
                    client or "",
                    environment,
                    f"select count(*), sum(crc32(concat_ws('/', {', '.join(theirs)}))) from {quote_mysql(table)}",
                ),
                psql(
                    f"select count(*), sum(crc32(textsend(concat_ws('/', {', '.join(ours)}))))"
                    f" from pipe.{quote(snake_case(table))}"
                ),
            )
            found = [results / f"{table}.{number}" for number in range(2)]
            started = []
            for program, file in zip(programs, found, strict=True):
                with file.open("wb") as output:
                    started.append(watch.start(program, stdout=output))
            watch.wait(*started)
            if found[0].read_text() != found[1].read_text():
                raise BenchmarkFailed(f"{table}: the sums of MySQL and of the pipe's copy differ.")

        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(add_up, tables))
    return watch.cost


def mysql_client(client: str, environment: Environment, statement: str) -> Command:
    address = [f"--host={environment['MYSQL_HOST']}", f"--port={environment['MYSQL_PORT']}"]
    address += [f"--user={environment['MYSQL_USER']}", environment["MYSQL_DATABASE"]]
    flags = ["--no-defaults", "--default-character-set=utf8mb4", "--quick", "--batch", "--skip-column-names"]
    return [client, *flags, *address, "--execute", statement]


def psql(statement: str) -> Command:
    flags = ["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--field-separator=\t", "--set=ON_ERROR_STOP=1"]
    return [postgres.binaries() / "psql", *flags, "--command", statement]


def compare_with_pipe() -> None:
    """Both paths must have landed the same rows, or the ratio says nothing."""
    with measure.on_warehouse() as cursor:
        for table, columns in source_tables().items():
            names = ", ".join(quote(snake_case(column)) for column, _ in columns)
            sums = []
            for schema in ("pipe", RAW):
                relation = f"(select {names} from {schema}.{quote(snake_case(table))}) t"
                cursor.execute(f"select count(*), sum(hashtextextended(t::text, 0)) from {relation}")
                sums.append(cursor.fetchone())
            if sums[0] != sums[1]:
                raise BenchmarkFailed(f"{table}: the pipe and the landing differ: {sums[0]} and {sums[1]}.")


# the peers


def peer_environment() -> Path:
    """The Python of an environment with the other tools, which are the group ``bench`` of pyproject.toml."""
    folder, uv = FOLDER / "peers", Path(sys.executable).with_name("uv")
    python = folder / "bin" / "python"
    commands: list[Command] = [
        [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, "--group", "bench"]
    ]
    if not python.exists():
        commands.insert(0, [uv, "venv", "--quiet", "--python", sys.executable, folder])
    for command in commands:
        subprocess.run(command, cwd=PROJECT, check=True)
    return python


def peer(command: Command, environment: Environment) -> Cost:
    """The cost of a tool for loading all tables into schema ``peer``."""
    with measure.on_warehouse() as cursor:
        for schema in ("peer", "peer_staging"):
            cursor.execute(f"drop schema if exists {schema} cascade")
    cost = measure.cost_of(command, environment)
    with measure.on_warehouse() as cursor:
        for table in map(snake_case, source_tables()):
            cursor.execute(f"select (select count(*) from peer.{table}), (select count(*) from {RAW}.{table})")
            theirs, ours = cursor.fetchone()
            if theirs != ours:
                raise BenchmarkFailed(f"{command[-1]} has {theirs} rows of {table}, not {ours}.")
    return cost


def pgloader(program: str, environment: Environment) -> Cost:
    """pgloader with its defaults for a whole database: two tables at a time, types of its own, indexes left out."""
    source = "mysql://{MYSQL_USER}:{MYSQL_PASSWORD}@{MYSQL_HOST}:{MYSQL_PORT}/{MYSQL_DATABASE}".format_map(environment)
    target = "postgresql://{PGUSER}:{PGPASSWORD}@{PGHOST}:{PGPORT}/{PGDATABASE}".format_map(environment)
    script = FOLDER / "pgloader.load"
    home.write_private(
        script,
        f"load database from {source} into {target}\n"
        " with include drop, create tables, no foreign keys, create no indexes, reset no sequences,\n"
        "      workers = 4, concurrency = 2\n"
        f" alter schema '{environment['MYSQL_DATABASE']}' rename to 'peer';\n",
    )
    try:
        return peer([program, "--quiet", script], environment)
    finally:
        script.unlink()


# linearity and the report


def linearity(scale: float, rounds: int, environment: Environment) -> dict[str, float]:
    """Rows, and the median seconds and most MiB of a first load."""
    print(f"first loads at scale {scale:g}", flush=True)
    measure.fill(scale)
    warm_up(environment)
    costs = []
    for _ in range(rounds):
        measure.forget_landings()
        cost, tables = measure.land(environment)
        costs.append(cost)
    cost = Cost.median(costs)
    return {
        "scale": scale,
        "rows": sum(table["rows"] for table in tables),
        "seconds": cost.wall,
        "cpu": cost.cpu,
        "memory": cost.memory,
    }


def report(
    options: argparse.Namespace,
    machine: measure.Machine,
    rows: int,
    costs: dict[str, list[Cost]],
    linear: list[dict[str, float]],
) -> None:
    medians = {name: Cost.median(list_of) for name, list_of in costs.items()}
    about = machine.describe([cost for list_of in costs.values() for cost in list_of])
    print(
        f"scale {options.scale:g}: {rows:,} rows in {len(source_tables())} tables; medians of {options.rounds} rounds"
    )
    pipe_cost = medians.get(PIPE)
    measure.table(medians, pipe_cost)
    if linear:
        print(
            f"\n{'first load at scale':<34}{'rows':>12}{'seconds':>9}{'s per million':>15}{'and per further one':>21}"
        )
        before: dict[str, float] = {}
        for point in linear:
            further = (point["seconds"] - before["seconds"]) / (point["rows"] - before["rows"]) if before else None
            print(
                f"{point['scale']:<34g}{point['rows']:>12,}{point['seconds']:>9.2f}"
                f"{point['seconds'] / point['rows'] * 1e6:>15.2f}" + (f"{further * 1e6:>21.2f}" if further else "")
            )
            before = point
    print("\ngoals, meant for scale 1000:")
    first = medians[FIRST].wall
    if pipe_cost:
        measure.goal("first load to raw pipe", first / pipe_cost.wall, 1.5)
        print(f"           and to one that is checked: {first / medians[CHECKED_PIPE].wall:.2f}")
    for name in [name for name in medians if name not in (PIPE, CHECKED_PIPE, *LANDINGS)]:
        measure.goal(f"first load to {name}", first / medians[name].wall, 1)
    goals = {CHANGED: 0.22, FEW: 0.16, SAME: 0.08, CHANGED_ALL: 1, SAME_ALL: 0.5}
    for name, most in goals.items():
        measure.goal(f"{name.removeprefix('ours, ')} to first load", medians[name].wall / first, most)
    measure.goal("peak memory", max(medians[name].memory for name in LANDINGS), 150, " MiB")
    content = {"scale": options.scale, "rows": rows, "rounds": options.rounds, "machine": about}
    content |= {"medians": medians, "all": costs, "linear": linear}
    measure.write_report("bench_landing.json", content)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.landing", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--scale", type=float, default=1000, help="size of the data; 1000 is 3.7 million rows (default)"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--peers", nargs="*", choices=CONFIGURATIONS, help=f"also other tools; dlt's configurations (default: {PEER})"
    )
    parser.add_argument(
        "--linear", nargs="*", type=float, metavar="SCALE", help="also first loads at these scales (10 100 1000)"
    )
    options = parser.parse_args()
    options.peers = options.peers if options.peers is None else options.peers or [PEER]
    options.linear = options.linear if options.linear is None else options.linear or LINEAR
    return options


if __name__ == "__main__":
    options = parse()
    sys.exit(measure.main(lambda: run(options)))
