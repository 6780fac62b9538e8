"""How far the raw tables and the marts are behind MySQL while it trades: python -m benchmarks.follow --help.

A writer commits orders of ten lines each, at an even pace, and now and then changes an older order. A follower runs
beside it, as make follow starts it. Another process looks twenty times a second which orders are in the warehouse.
An order's lag is the time from the end of its COMMIT to the first look that sees it. Then nothing is written for a
while: the follower's and MySQL's CPU at rest.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence

from benchmarks import FOLDER, PROJECT, measure
from benchmarks.measure import BenchmarkFailed
from sandbox import home, mysql

RAW = "select max(order_number) from raw_classicmodels.orders"
MART = "select max(order_number) from marts.fct_order_lines"
OPERATIONAL = "select max(order_number) from marts.fct_orders"
PYTHON = str(PROJECT / ".venv" / "bin" / "python")


def run(options: argparse.Namespace) -> None:
    machine = measure.Machine()
    with measure.servers() as environment:
        environment |= {"DBT_PROFILES_DIR": "profiles", "DBT_TARGET": "local", "FOLLOW_WHOLE_MINUTES": "0"}
        measure.fill(options.scale)
        measure.land(environment)
        measure.cost_of([PYTHON, "-m", "operations", "build"], environment)
        committed: dict[int, float] = {}
        looks = [Look(sql, pause) for sql, pause in ((RAW, 0.05), (MART, 0.5), (OPERATIONAL, 0.5))]
        with (FOLDER / "follow.log").open("wb") as log:
            follower = subprocess.Popen(
                [PYTHON, "-m", "operations", "follow"], cwd=PROJECT, env=environment, stdout=log, stderr=log
            )
            try:
                time.sleep(20)  # dbt has read the project
                for look in looks:
                    look.start()
                memory = [measure.memory({follower.pid})]
                trade(committed, options.rate, options.seconds, lambda: memory.append(measure.memory({follower.pid})))
                time.sleep(30)
                rest = cpu_at_rest(follower.pid, options.rest)
            finally:
                follower.send_signal(signal.SIGTERM)
                follower.wait()
        for look in looks:
            look.stopped.set()
            look.join()
    lags = [look.lags(committed) for look in looks]
    print(f"{len(committed):,} orders in {options.seconds} s at scale {options.scale:g}")
    for name, found in zip(("raw orders", "fct_order_lines", "fct_orders"), lags, strict=True):
        figures = (statistics.median(found), share(found, 0.95), max(found))
        print(f"{name:<18} median {figures[0]:6.2f} s   95 % {figures[1]:6.2f} s   most {figures[2]:6.2f} s")
    print(f"memory of the follower with dbt, MiB: {', '.join(f'{value:.0f}' for value in memory)}")
    measure.goal("commit to raw, median", statistics.median(lags[0]), 0.5, " s")
    measure.goal("commit to raw, 95 %", share(lags[0], 0.95), 1, " s")
    measure.goal("commit to fct_order_lines, 95 %", share(lags[1], 0.95), 15, " s")
    measure.goal("commit to the operational marts, 95 %", share(lags[2], 0.95), 15, " s")
    measure.goal("CPU of follower and source at rest", 100 * rest, 2, " %")
    content = {"scale": options.scale, "rate": options.rate, "seconds": options.seconds, "lags": lags, "rest": rest}
    measure.write_report("bench_follow.json", content | {"memory": memory, "machine": machine.describe([])})


class Look(threading.Thread):
    """Looks at the greatest order of a table, again and again."""

    def __init__(self, sql: str, pause: float):
        super().__init__(daemon=True)
        self.stopped = threading.Event()
        self._sql, self._pause = sql, pause
        self._seen: list[tuple[float, int]] = []

    def run(self) -> None:
        with measure.on_warehouse() as cursor:
            while not self.stopped.wait(self._pause):
                cursor.execute(self._sql)
                ((order,),) = cursor.fetchall()
                if order is not None and (not self._seen or order > self._seen[-1][1]):
                    self._seen.append((time.monotonic(), order))

    def lags(self, committed: dict[int, float]) -> list[float]:
        """Raises ``BenchmarkFailed`` if an order was never seen."""
        found, seen = [], iter(self._seen)
        moment, greatest = 0.0, -1
        for order in sorted(committed):
            while greatest < order:
                if (look := next(seen, None)) is None:
                    raise BenchmarkFailed(f"order {order} never came: {self._sql}")
                moment, greatest = look
            found.append(max(0.0, moment - committed[order]))
        return found


def trade(committed: dict[int, float], rate: float, seconds: float, each_minute: Callable[[], None]) -> None:
    """Commit orders; the time of each commit goes into ``committed``."""
    with measure.on_source() as cursor:
        cursor.execute("select max(orderNumber) from orders")
        ((first,),) = cursor.fetchall()
        cursor.execute("select customerNumber from customers where salesRepEmployeeNumber is not null limit 1000")
        customers = [number for (number,) in cursor.fetchall()]
        cursor.execute("select productCode, buyPrice from products order by 1 limit 10")
        products = cursor.fetchall()
        cursor.execute("select max(orderDate) from orders")
        ((day,),) = cursor.fetchall()
    number, started, minute = first, time.monotonic(), 1
    with mysql.connect(home.read_state()[mysql.NAME], mysql.DATABASE) as connection:
        while (now := time.monotonic()) < started + seconds:
            if now > started + 60 * minute:
                each_minute()
                minute += 1
            number += 1
            with connection.cursor() as cursor:
                cursor.execute(
                    "insert into orders (orderNumber, orderDate, requiredDate, status, customerNumber)"
                    " values (%s, %s, %s + interval 7 day, 'In Process', %s)",
                    (number, day, day, customers[number % len(customers)]),
                )
                cursor.executemany(
                    "insert into orderdetails values (%s, %s, %s, %s, %s)",
                    [(number, code, 10 + line, price, line) for line, (code, price) in enumerate(products, 1)],
                )
                if number % 4 == 0:
                    cursor.execute("update orders set comments = 'hurry' where orderNumber = %s", (number - 100,))
            connection.commit()
            committed[number] = time.monotonic()
            time.sleep(max(0.0, started + (number - first) / rate - time.monotonic()))


def cpu_at_rest(follower: int, seconds: float) -> float:
    """The share of a core that the follower, the process that builds, and MySQL take."""
    source = int((home.servers_home() / mysql.NAME / "data" / "server.pid").read_text())

    def spent() -> int:
        found = measure.processes()
        pids = [source, follower, *(pid for pid, status in found.items() if int(status[1]) == follower)]
        return sum(sum(map(int, found[pid][11:13])) for pid in pids)

    before = spent()
    time.sleep(seconds)
    return (spent() - before) / os.sysconf("SC_CLK_TCK") / seconds


def share(values: Sequence[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.follow", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scale", type=float, default=100, help="size of the data (default: 100)")
    parser.add_argument("--rate", type=float, default=20, help="orders a second (default: 20)")
    parser.add_argument("--seconds", type=float, default=300, help="of trade (default: 300)")
    parser.add_argument("--rest", type=float, default=60, help="seconds without trade (default: 60)")
    return parser.parse_args()


if __name__ == "__main__":
    options = parse()
    sys.exit(measure.main(lambda: run(options)))
