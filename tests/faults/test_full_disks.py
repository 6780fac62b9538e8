"""No room for work files, no room in the warehouse."""

import contextlib
import os
import pwd
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import home, postgres
from tests.faults.conftest import Result
from tests.faults.shop import Shop


def test_a_work_file_may_not_grow(shop: Shop, result: Result) -> None:
    shop.add_large_table(40_000)
    shop.land()
    before = shop.source()
    shop.change()
    shop.lane.execute("update large set filler = concat(filler, ' CANARY')")
    landing = shop.start(largest_file=1_000_000)
    assert landing.end() == 3
    said = f"error: Work folder {shop.work}: File too large. Nothing was published; make room there, or name another in"
    assert f"{said} INGEST_WORK_FOLDER, and run again." in landing.said()
    assert shop.raw() == before
    assert not list(shop.work.iterdir())
    shop.heals()
    result.healed = "exact"


@pytest.mark.parametrize("kilobytes", [20, 300, 2000])
def test_the_disk_of_the_work_folder_is_full(shop: Shop, result: Result, tmp_path: Path, kilobytes: int) -> None:
    shop.add_large_table(40_000)
    shop.land()
    before = shop.source()
    shop.change()
    shop.lane.execute("update large set filler = concat(filler, ' CANARY')")
    with _small_disk(tmp_path / "small", kilobytes):
        landing = shop.start(environment={"INGEST_WORK_FOLDER": str(tmp_path / "small")}, chunk_rows=10_000)
        assert landing.end() == 3
        said = f"error: Work folder {tmp_path / 'small'}: No space left on device. Nothing was published"
        assert said in landing.said(), landing.said()
        assert shop.raw() == before
        assert not list((tmp_path / "small").iterdir())
    shop.heals()
    result.healed = "exact"


@pytest.mark.parametrize("megabytes", [1, 8, 36])
def test_the_disk_of_the_warehouse_is_full(shop: Shop, result: Result, megabytes: int) -> None:
    """New tables go to a tablespace on a small disk; at 36 MB the staged rows fit, but not the raw ones too."""
    shop.add_large_table(100_000)
    shop.land()
    before = shop.source()
    shop.change()
    shop.lane.execute("update large set filler = concat(filler, repeat('y', 20))")
    disk = home.servers_home() / "small_disk"
    with _small_disk(disk, megabytes * 1000, owner=home.server_account()):
        connection = postgres.connect(home.read_state()[postgres.NAME])
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"create tablespace small location '{disk}'")
            cursor.execute("grant create on tablespace small to fault")
            cursor.execute("alter role fault set default_tablespace = small")
            if megabytes == 36:
                cursor.execute(f"alter table {shop.lane.raw}.large set tablespace small")
        try:
            landing = shop.start()
            code = landing.end()
            assert shop.raw() == before
        finally:
            with connection.cursor() as cursor:
                cursor.execute("alter role fault reset default_tablespace")
                cursor.execute("alter table all in tablespace small set tablespace pg_default")
                cursor.execute(f"drop schema if exists landing_{shop.lane.database} cascade")
                cursor.execute("drop tablespace small")
            connection.close()
    assert code == 3, landing.said()
    assert "its disk is full. Nothing was published; free space and run again." in landing.said()
    shop.heals()
    result.healed = "exact"


@contextlib.contextmanager
def _small_disk(folder: Path, kilobytes: int, owner: str | None = None) -> Iterator[None]:
    folder.mkdir(mode=0o755)
    options = f"size={kilobytes}k,mode=0700" + (f",uid={pwd.getpwnam(owner).pw_uid}" if owner else "")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, check=False)
    if mounted.returncode:
        folder.rmdir()
        pytest.skip("a small disk cannot be mounted here (that takes root)")
    try:
        yield
    finally:
        os.sync()
        subprocess.run(["umount", folder], check=True)
        folder.rmdir()
