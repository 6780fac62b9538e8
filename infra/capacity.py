"""The cost of a size on Redshift Serverless, by the assumptions that are its options.

A model of a few multiplications, not a measurement. Every number it starts from is a field of ``Assumptions`` with its
unit and source. ``infra/CAPACITY.md`` has the table it prints.
"""

import argparse
import dataclasses
from collections.abc import Sequence

SIZES = (10_000_000, 100_000_000, 1_000_000_000, 10_000_000_000)


def _said(default: float, text: str) -> float:
    """A field with its meaning and source, for --help."""
    field: float = dataclasses.field(default=default, metadata={"help": text})
    return field


@dataclasses.dataclass(frozen=True)
class Assumptions:
    raw_bytes_per_line: float = _said(
        85, "bytes of text per order line in all raw tables (measured on 15,799 generated lines, SCALE=5)"
    )
    mart_bytes_per_line: float = _said(
        970,
        "bytes of text per order line in all marts that grow (measured on the same; order lines 34 %, orders_obt 36 %)",
    )
    compression: float = _said(4, "how many times smaller columns are on disk (AWS speaks of 3 to 4 as usual)")
    read_megabytes_per_second: float = _said(
        40, "text that one connection to MySQL gives the loader (an estimate for RDS)"
    )
    readers: float = _said(1, "connections that read at once: the landing uses one, for one consistent snapshot")
    copy_megabytes_per_rpu_second: float = _said(4, "text that COPY takes in per RPU and second (an estimate)")
    scan_megabytes_per_rpu_second: float = _said(
        30, "data before compression that one RPU works through per second (an estimate)"
    )
    passes_of_a_full_build: float = _said(
        8, "how often a full build and its tests read or write the marts' bytes (an estimate)"
    )
    passes_of_a_night: float = _said(
        3, "how often a night reads them: change detection and tests scan, writes are small (an estimate)"
    )
    changed_share: float = _said(0.001, "share of lines that a night changes")
    nights_per_month: float = _said(30, "landings and builds a month")
    query_hours_per_month: float = _said(60, "hours a month in which analysts' queries run")
    rpus: float = _said(0, "RPUs; 0 takes the fewest that build a full load within full_build_hours")
    full_build_hours: float = _said(6, "how long a full build may take")
    smallest_rpus: float = _said(8, "the template's BaseCapacity")
    largest_rpus: float = _said(512, "the largest BaseCapacity the template allows")
    dollars_per_rpu_hour: float = _said(0.375, "AWS public list price, us-east-1, as known in 2025: look it up")
    dollars_per_gigabyte_month: float = _said(
        0.024, "Redshift managed storage, list price, us-east-1, as known in 2025: look it up"
    )
    staging_dollars_per_gigabyte_month: float = _said(
        0.023, "S3 Standard, list price, us-east-1, as known in 2025: look it up"
    )
    staging_days: float = _said(7, "days a staged file stays (the template's lifecycle)")


@dataclasses.dataclass(frozen=True)
class Plan:
    """The needs of one size. Times in hours, money in dollars per month."""

    lines: int
    raw_gigabytes: float
    storage_gigabytes: float
    rpus: int
    first_load_hours: float
    """The slower of reading MySQL and COPY; they overlap."""
    full_build_hours: float
    nightly_hours: float
    rpu_hours: float
    """Per month: nights and queries."""
    compute_dollars: float
    storage_dollars: float

    @property
    def dollars(self) -> float:
        return self.compute_dollars + self.storage_dollars


def plan(lines: int, assumptions: Assumptions | None = None) -> Plan:
    """The plan for a number of order lines.

    Raises:
        ValueError: not even the largest workgroup builds it within ``full_build_hours``.
    """
    a = assumptions or Assumptions()
    raw, marts = lines * a.raw_bytes_per_line / 1e6, lines * a.mart_bytes_per_line / 1e6  # megabytes
    work = marts * a.passes_of_a_full_build / a.scan_megabytes_per_rpu_second / 3600  # RPU-hours
    rpus = int(a.rpus) or _rpus(work / a.full_build_hours, a)
    read_hours = raw / (a.read_megabytes_per_second * a.readers) / 3600
    copy_rpu_hours = raw / a.copy_megabytes_per_rpu_second / 3600
    # A night reads all of MySQL to find changes, and copies only changed tables: here, all.
    night_rpu_hours = copy_rpu_hours + work * (a.passes_of_a_night / a.passes_of_a_full_build) * (1 + a.changed_share)
    rpu_hours = night_rpu_hours * a.nights_per_month + a.query_hours_per_month * rpus
    stored = (raw + marts) / a.compression / 1000
    staged = raw / 1000 * min(a.staging_days, a.nights_per_month)
    return Plan(
        lines=lines,
        raw_gigabytes=raw / 1000,
        storage_gigabytes=stored,
        rpus=rpus,
        first_load_hours=max(read_hours, copy_rpu_hours / rpus),
        full_build_hours=work / rpus,
        nightly_hours=max(read_hours, copy_rpu_hours / rpus) + (night_rpu_hours - copy_rpu_hours) / rpus,
        rpu_hours=rpu_hours,
        compute_dollars=rpu_hours * a.dollars_per_rpu_hour,
        storage_dollars=stored * a.dollars_per_gigabyte_month + staged * a.staging_dollars_per_gigabyte_month,
    )


def _rpus(wanted: float, assumptions: Assumptions) -> int:
    """The next size of a workgroup: steps of 8, as AWS sells them."""
    rpus = max(assumptions.smallest_rpus, -(-wanted // 8) * 8)
    if rpus > assumptions.largest_rpus:
        raise ValueError(f"{rpus:.0f} RPUs would be needed, {assumptions.largest_rpus:.0f} is the largest workgroup")
    return int(rpus)


def table(plans: Sequence[Plan]) -> str:
    """The plans as Markdown."""
    heads = ["order lines", "raw text", "stored", "RPUs", "first load", "full build", "a night", "RPU-hours a month"]
    heads += ["compute a month", "storage a month", "in all"]
    rows = [f"| {' | '.join(heads)} |", "|" + " ---: |" * len(heads)]
    for size in plans:
        cells = (
            f"{size.lines:,}", f"{size.raw_gigabytes:,.0f} GB", f"{size.storage_gigabytes:,.0f} GB", f"{size.rpus}",
            _duration(size.first_load_hours), _duration(size.full_build_hours), _duration(size.nightly_hours),
            f"{size.rpu_hours:,.0f}",
            f"${size.compute_dollars:,.0f}", f"${size.storage_dollars:,.0f}", f"${size.dollars:,.0f}",
        )  # fmt: skip
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _duration(hours: float) -> str:
    return f"{hours:.1f} h" if hours >= 1 else f"{max(hours * 60, 1):.0f} min"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m infra.capacity", description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument("--lines", type=int, nargs="+", default=list(SIZES), help="order lines to plan for")
    for field in dataclasses.fields(Assumptions):
        text = f"{field.metadata['help']} (default: {field.default:g})".replace("%", "%%")
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=float, default=field.default, help=text)
    given = vars(parser.parse_args(arguments))
    lines = given.pop("lines")
    try:
        print(table([plan(size, Assumptions(**given)) for size in lines]))
    except (ValueError, ZeroDivisionError) as error:
        parser.error(str(error))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
