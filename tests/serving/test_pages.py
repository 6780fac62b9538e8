"""The pages as files: what they ask for, how large and quick they are, on a phone, in the dark, by keyboard, printed; whose names they hold."""

import base64
import datetime
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from sandbox import home, postgres
from serving.dashboards.__main__ import EXPLORE
from serving.dashboards.pages import NAMES
from serving.dashboards.words import change, percent, short, spelled
from tests.conftest import PROJECT
from tests.serving.conftest import Dashboards, Reader

PAGES = [name for name in NAMES if name != "explore" or EXPLORE.exists()]
SMALL = [name for name in NAMES if name != "explore"]
STATES = [*PAGES, "overview#year=2004&line=Ships&country=Spain", "why#month=2003-01", "why#month=2004-08&to=year"]
AXE = ("axe-core@4.10.3", "4.10.3")


@pytest.mark.parametrize("name", STATES)
def test_a_page_fits_a_phone_and_a_desk(name: str, dashboards: Dashboards, browser: Reader) -> None:
    for width in (1400, 900, 400):
        browser.open(dashboards.address(name), width)
        assert browser.js("innerWidth") == width
        assert browser.js("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), width
        assert browser.js("document.querySelectorAll('h1').length") == 1
        assert "undefined" not in browser.js("document.body.innerText")
        assert "NaN" not in browser.js("document.body.innerText")


@pytest.mark.parametrize("name", SMALL)
def test_a_page_is_one_file_small_and_ready_at_once(name: str, dashboards: Dashboards, browser: Reader) -> None:
    assert (dashboards.folder / f"{name}.html").stat().st_size < 200_000
    spent = []
    for _ in range(3):
        browser.requests.clear()
        browser.call("Performance.enable", timeDomain="threadTicks")
        browser.open(dashboards.address(name), 1400)
        spent += [
            one["value"] for one in browser.call("Performance.getMetrics")["metrics"] if one["name"] == "TaskDuration"
        ]
        browser.call("Performance.disable")
        asked = [address for address in browser.requests if not address.startswith(("about:", "data:"))]
        assert asked == [dashboards.address(name)]
        assert browser.js("document.documentElement.dataset.ready")
    assert min(spent) < 0.5, spent  # seconds of processor time, whatever else the machine does


@pytest.mark.parametrize("name", PAGES)
def test_each_chart_has_table_csv_sql_and_a_definition(name: str, dashboards: Dashboards, browser: Reader) -> None:
    browser.open(dashboards.address(name), 1400)
    columns = {
        f"{node['name']}.{column}"
        for node in dashboards.star.manifest["nodes"].values()
        for column in node.get("columns", {})
    }
    blocks = browser.js("[...document.querySelectorAll('figure')].map((figure) => figure.id)")
    assert blocks
    for block in blocks:
        for what in ("table", "sql"):
            browser.click(f"#{block} [data-open='{block}:{what}']")
        assert "select" in browser.text(f"#{block} pre")
        assert "{{" not in browser.text(f"#{block} pre")
        assert (
            browser.js(f"document.querySelectorAll('#{block} .plain tbody tr').length") == len(browser.table(block)) > 0
        )
        definition = browser.js(
            f"document.querySelector('#{block} .links a:not([download])')?.getAttribute('href') ?? null"
        )
        if definition is None:
            browser.click(f"#{block} [data-open='{block}:how']")
            assert len(browser.text(f"#{block} .how")) > 30
        else:
            assert definition.removeprefix("../dictionary.html#") in columns


def test_all_a_mouse_does_a_key_does(dashboards: Dashboards, browser: Reader) -> None:
    browser.open(dashboards.address("overview"), 1400)
    reached: list[str] = []
    for _ in range(120):
        browser.press("Tab")
        reached.append(browser.js("document.activeElement.dataset?.to ?? document.activeElement.ariaLabel ?? ''"))
        if reached[-1] == "Motorcycles":
            break
    assert "Why November 2004?" in reached
    browser.press("Enter")
    browser.wait(lambda: browser.js("location.hash") == "#line=Motorcycles")
    assert browser.js("document.activeElement.dataset.to") == "Motorcycles"
    assert browser.js("document.activeElement.ariaPressed") == "true"


def test_a_month_of_the_overview_leads_to_its_why(dashboards: Dashboards, browser: Reader) -> None:
    browser.open(dashboards.address("overview"), 1400)
    browser.click("#years svg a:nth-of-type(11)")
    title = "document.documentElement?.dataset.ready && document.querySelector('h1')?.textContent"  # on its way
    browser.wait(lambda: "November 2004 sold $479k more than October 2004" in str(browser.js(title)))
    assert browser.js("location.pathname").endswith("why.html")


def test_an_empty_choice_says_so_and_the_way_out(dashboards: Dashboards, browser: Reader) -> None:
    browser.open(dashboards.address("overview#line=Trains&country=Hong+Kong"), 1400)
    assert browser.text("h1") == "Trains in Hong Kong sold nothing in January to May 2005"
    browser.click(".chip")
    browser.click(".chip")
    browser.wait(lambda: browser.tiles()[0][1] == 177093671)
    browser.open(dashboards.address("why#month=2003-01"), 1400)
    assert browser.text("h1") == "Nothing to compare this month with"


@pytest.mark.parametrize("name", ["overview", "why"])
def test_a_page_prints_on_one_sheet(name: str, dashboards: Dashboards, browser: Reader) -> None:
    browser.open(dashboards.address(name), 1400)
    printed = base64.b64decode(browser.call("Page.printToPDF", preferCSSPageSize=True)["data"])
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1


def test_old_figures_turn_grey_and_say_so(dashboards: Dashboards, browser: Reader, tmp_path: Path) -> None:
    assert dashboards.write(tmp_path, "--minutes", "0").returncode == 0
    browser.open((tmp_path / "live.html").as_uri(), 1400)
    assert browser.text("h1").startswith("The figures are old: nothing has landed for ")
    assert browser.js("getComputedStyle(document.querySelector('.kpis .figure')).color") == browser.js(
        "getComputedStyle(document.querySelector('.kpis h2')).color"
    )
    browser.open(dashboards.address("live"), 1400)
    assert (
        browser.text("h1")
        == "9 orders are overdue, 3 customers over their limit, 1 product running out within four weeks"
    )


def test_live_is_written_anew_and_reloads_itself(dashboards: Dashboards, browser: Reader, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "serving.dashboards", str(tmp_path), "--follow", "0.5", "--minutes", "30"]
    environment = dashboards.star.environment | {"EXPLORE_PYTHON": "missing"}
    followed = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert followed.stdout
        assert "The dashboards are in" in followed.stdout.readline()
        assert "Explore is left out: `make explore`" in followed.stdout.readline()
        browser.open((tmp_path / "live.html").as_uri() + "#x", 1400)
        title = "document.querySelector('h1')?.textContent"
        browser.wait(lambda: str(browser.js(title)).startswith("9 orders are overdue"))
        untouched = (tmp_path / "overview.html").stat().st_mtime_ns
        dashboards.star.query("update marts.fct_orders set is_open = false where order_number = 10334")
        browser.wait(lambda: str(browser.js(title)).startswith("8 orders are overdue"), "the new figure")
        assert browser.js("location.hash") == "#x"
        assert (tmp_path / "overview.html").stat().st_mtime_ns == untouched
        dashboards.star.query("alter schema marts_masked rename to away")
        time.sleep(2)
        assert str(browser.js(title)).startswith("8 orders are overdue")
        assert followed.poll() is None
    finally:
        dashboards.star.query(
            "do $$ begin if to_regnamespace('away') is not null then alter schema away rename to marts_masked; end if; end $$",
            "update marts.fct_orders set is_open = true where order_number = 10334",
        )
        followed.send_signal(signal.SIGINT)
        assert followed.wait(30) == 0
    assert sorted(path.stem for path in tmp_path.iterdir()) == sorted(SMALL)


def personal_names(dashboards: Dashboards) -> set[str]:
    """Names of customers, of their contacts, and of staff: whole names, and what is long enough to be told from a word."""
    rows = dashboards.star.query("""
        select trim(customer_name) from raw_classicmodels.customers
        union select trim(contact_first_name) || ' ' || trim(contact_last_name) from raw_classicmodels.customers
        union select first_name || ' ' || last_name from raw_classicmodels.employees
        union select last_name from raw_classicmodels.employees where length(last_name) > 5
        union select email from raw_classicmodels.employees""")
    return {name for (name,) in rows}


def test_pages_made_as_analyst_hold_nobodys_name(dashboards: Dashboards, tmp_path: Path) -> None:
    names = personal_names(dashboards)
    assert len(names) > 240
    everything = "".join(path.read_text(encoding="utf-8") for path in sorted(dashboards.folder.glob("*.html")))
    assert [name for name in names if name in everything] == []
    assert "names are masked" in everything
    result = dashboards.write(tmp_path, ROLE="pii_reader")
    assert result.returncode == 0, result.stderr
    named = (tmp_path / "customers.html").read_text(encoding="utf-8")
    assert "The Sharp Gifts Warehouse" in named
    assert "names are shown" in named
    assert "Gerard Hernandez" in (tmp_path / "team.html").read_text(encoding="utf-8")


def test_pages_stay_as_they_were_when_the_marts_cannot_be_read(dashboards: Dashboards) -> None:
    before = {path.name: path.read_bytes() for path in dashboards.folder.iterdir()}
    login = {
        "DASHBOARDS_USER": "service_embedded",
        "DASHBOARDS_PASSWORD": home.read_state()[postgres.NAME]["roles"]["service_embedded"],
    }
    result = dashboards.write(dashboards.folder, **login)
    assert result.returncode == 1
    assert result.stderr.startswith("error: the dashboards were left as they were")
    assert {path.name: path.read_bytes() for path in dashboards.folder.iterdir()} == before


def test_a_role_that_is_not_there_is_refused(dashboards: Dashboards) -> None:
    before = (dashboards.folder / "overview.html").read_text("utf-8")
    result = dashboards.write(dashboards.folder, ROLE="analist")
    assert result.returncode == 1
    assert "There is no role analist" in result.stderr
    assert (dashboards.folder / "overview.html").read_text("utf-8") == before


def test_the_stamp_names_landing_and_verdict(dashboards: Dashboards, browser: Reader, tmp_path: Path) -> None:
    ((run_id, landed),) = dashboards.star.query(
        "select run_id, finished_at from raw_classicmodels._landing_runs order by loaded_at desc limit 1"
    )
    ((passed, when),) = dashboards.star.query(
        "select count(*), max(started_at) from quality.test_results where started_at = (select max(started_at) from quality.test_results)"
    )
    browser.open(dashboards.address("overview"), 1400)
    assert (
        browser.text("#stamp")
        == f"Data to 9 June 2005 · landed {landed.day} {landed:%b %Y, %H:%M} UTC · all {passed} tests passed"
    )
    assert f"landing {run_id[:8]}" in browser.text("footer")
    later = when + datetime.timedelta(seconds=1)
    connection = dashboards.star.servers.postgres()
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into quality.test_results values ('spoiled', %s, 'accuracy', 'a', 'b', 'fail', 3), ('spoiled', %s, 'accuracy', 'c', 'd', 'pass', 0)",
            (later, later),
        )
        try:
            assert dashboards.write(tmp_path).returncode == 0
        finally:
            cursor.execute("delete from quality.test_results where invocation_id = 'spoiled'")
    connection.close()
    browser.open((tmp_path / "overview.html").as_uri(), 1400)
    assert browser.text("#stamp").endswith("1 of 2 tests failed")
    assert browser.js("document.querySelector('#stamp a').getAttribute('href')") == "../quality.html"


def test_nothing_else_needs_the_folder() -> None:
    """``rm -r serving`` leaves a project that works: demo and night look for it, and ask first."""
    found = subprocess.run(
        ["git", "grep", "-lE", r"(from|import) serving|serving\.dashboards", "--", "*.py", "*.sql", "*.yml"],
        cwd=PROJECT, capture_output=True, text=True, check=False,
    ).stdout.split()  # fmt: skip
    outside = [name for name in found if not name.startswith(("serving/", "tests/serving/"))]
    assert outside == ["operations/night.py", "sandbox/demo.py"]
    for name in outside:
        assert 'Path("serving/dashboards").exists()' in (PROJECT / name).read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """axe-core of one version, by npm; it is not part of the project."""
    folder = tmp_path_factory.mktemp("axe")
    package, version = AXE
    command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(folder), package]
    if shutil.which("npm") is None or subprocess.run(command, capture_output=True, check=False, timeout=120).returncode:
        pytest.skip(f"npm cannot install {package} here: accessibility was not checked")
    script = (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
    assert version in script[:200]
    return script


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", STATES)
def test_axe_finds_nothing(name: str, scheme: str, axe: str, dashboards: Dashboards, browser: Reader) -> None:
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    try:
        for width in (1400, 400):
            browser.open(dashboards.address(name), width)
            browser.wait(
                lambda: name != "explore" or browser.js("document.documentElement.dataset.drawn"), "the drawing"
            )
            browser.js(axe + "; 0")
            found: list[dict[str, Any]] = browser.js(
                "axe.run().then(({violations}) => violations.map(({id, nodes}) => [id, nodes.slice(0, 3).map((node) => node.html.slice(0, 160))]))"
            )
            assert found == [], json.dumps(found, indent=1)
    finally:
        browser.call("Emulation.setEmulatedMedia", features=[])


@pytest.mark.parametrize(
    ("cents", "said"),
    [
        (177093671, "$1.77M"),
        (2767089, "$27.7k"),
        (51149720, "$511k"),
        (-364943, "−$3.65k"),
        (52504, "$525"),
        (0, "$0"),
        (99949999, "$999k"),
        (99950000, "$1.00M"),
    ],
)
def test_python_and_javascript_say_the_same(cents: int, said: str, dashboards: Dashboards, browser: Reader) -> None:
    browser.open(dashboards.address("live"), 1400)
    assert short(cents) == said == browser.js(f"short({cents})")
    assert percent(cents / 51149720) == browser.js(f"percent({cents} / 51149720)")
    assert change(cents, 1194035) == browser.js(f"change({cents}, 1194035)")


def test_words() -> None:
    assert [change(*pair) for pair in ((3, 1), (148, 100), (96, 100), (1004, 1000), (5, 0), (0, 0))] == [
        "×3.0",
        "+48%",
        "−4%",
        "no change",
        "none before",
        "",
    ]
    assert (spelled(3), spelled(16)) == ("three", "16")
