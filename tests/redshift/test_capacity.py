"""The plan for a size follows from its assumptions, and the page shows what the model says."""

import dataclasses
from pathlib import Path

import pytest

from infra.capacity import SIZES, Assumptions, main, plan, table

PAGE = Path(__file__).parent.parent.parent / "infra" / "CAPACITY.md"


def test_the_page_shows_the_models_table() -> None:
    assert table([plan(size) for size in SIZES]) in PAGE.read_text(encoding="utf-8")


def test_the_page_names_every_assumption_with_its_number() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for field in dataclasses.fields(Assumptions):
        assert f"| `{field.name}` | {field.default:,g} | {field.metadata['help']} |" in text


def test_storage_and_reading_by_hand() -> None:
    # 10 million lines of 100 + 900 bytes are 10 GB, 5 GB stored; 1 GB of text at 100 MB/s is 10 seconds.
    size = plan(
        10_000_000,
        Assumptions(
            raw_bytes_per_line=100,
            mart_bytes_per_line=900,
            compression=2,
            read_megabytes_per_second=100,
            copy_megabytes_per_rpu_second=1000,
        ),
    )
    assert size.raw_gigabytes == pytest.approx(1)
    assert size.storage_gigabytes == pytest.approx(5)
    assert size.first_load_hours * 3600 == pytest.approx(10)


def test_cost_by_hand() -> None:
    # Nothing is loaded or stored: 10 hours of queries on 8 RPUs at half a dollar.
    size = plan(0, Assumptions(query_hours_per_month=10, dollars_per_rpu_hour=0.5))
    assert (size.rpus, size.rpu_hours, size.dollars) == (8, 80, 40)


def test_the_smallest_workgroup_that_is_fast_enough_by_hand() -> None:
    # A million lines are 900 MB, read twice at 100 MB/s by each RPU: 18 RPU-seconds. 4,000 of them are 20 RPU-hours.
    assumed = {"mart_bytes_per_line": 900, "passes_of_a_full_build": 2, "scan_megabytes_per_rpu_second": 100}
    wanted = {hours: plan(4_000_000_000, Assumptions(**assumed, full_build_hours=hours)) for hours in (20, 2.5, 2.4, 1)}
    assert {hours: size.rpus for hours, size in wanted.items()} == {20: 8, 2.5: 8, 2.4: 16, 1: 24}
    assert [size.full_build_hours for size in wanted.values()] == pytest.approx([2.5, 2.5, 1.25, 20 / 24])


def test_ten_times_the_lines_are_ten_times_the_storage() -> None:
    stored = [plan(size).storage_gigabytes for size in SIZES]
    assert stored == pytest.approx([stored[0] * factor for factor in (1, 10, 100, 1000)])


def test_what_no_workgroup_can_do_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--lines", "10000000000", "--full-build-hours", "0.1"])
    assert stopped.value.code == 2
    assert "is the largest workgroup" in capsys.readouterr().err


def test_assumptions_come_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    # Nothing is loaded or stored: 10 hours of queries on 8 RPUs at three quarters of a dollar.
    main(["--lines", "0", "--query-hours-per-month", "10", "--dollars-per-rpu-hour", "0.75"])
    (row,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("| 0 |"))
    assert row.split(" | ")[-4:] == ["80", "$60", "$0", "$60 |"]
