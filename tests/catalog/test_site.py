"""The docs site as its readers meet it: opened from disk in Chromium, on a desk and on a phone."""

import json
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from urllib.parse import urldefrag

import pytest

from catalog.project import foreign_keys
from tests.catalog.browser import Browser
from tests.catalog.conftest import Documented

TITLES = {
    "index": "Start",
    "guide": "Which column?",
    "dictionary": "Dictionary",
    "lineage": "Lineage",
    "star": "Star schema",
    "glossary": "Glossary",
    "owners": "Owners",
    "quality": "Last build",
    "dimensions": "Data quality",
    "landing": "Last landing",
    "dbt": "dbt docs",
}
"""The pages there are; a new one is added here."""
OWN_PAGES = [page for page in TITLES if page != "dbt"]


@pytest.fixture
def page(site: Path, chromium: Browser) -> Callable[..., Browser]:
    """Opens a page of the site, ``lineage#orders_obt.order_year`` say."""

    def open_page(name: str, width: int = 1200) -> Browser:
        file, _, fragment = name.partition("#")
        chromium.open((site / f"{file}.html").as_uri() + (f"#{fragment}" if fragment else ""), width)
        return chromium

    return open_page


def texts(browser: Browser, selector: str) -> list[str]:
    """What a reader sees of the elements that match."""
    found: list[str] = browser.js(
        f"[...document.querySelectorAll({json.dumps(selector)})].filter((e) => e.checkVisibility()).map((e) => e.innerText)"
    )
    return found


def wait_for_page(browser: Browser, name: str, title: str) -> None:
    browser.wait(lambda: browser.js("location.pathname").endswith(f"/{name}.html"), title)


@pytest.mark.parametrize("width", [1200, 800, 400])
@pytest.mark.parametrize("name", [*OWN_PAGES, "lineage#stg_classicmodels__order_lines.quantity_ordered"])
def test_a_page_fits_its_window(name: str, width: int, page: Callable[..., Browser]) -> None:
    browser = page(name, width)
    assert browser.js("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert browser.js("innerWidth") == width
    assert texts(browser, "h1")
    assert browser.errors == []


@pytest.mark.parametrize("name", TITLES)
def test_a_page_asks_no_other_host(name: str, site: Path, chromium: Browser) -> None:
    chromium.requests.clear()
    chromium.open((site / f"{name}.html").as_uri())
    chromium.wait(lambda: len(chromium.js("document.body.innerText")) > 200, "text on the page")
    # dbt's page makes itself blobs and data addresses, which are in the page.
    asked = [address for address in chromium.requests if not address.startswith(("about:", "data:", "blob:"))]
    assert asked
    assert all(address.startswith(site.as_uri()) for address in asked), asked
    if name != "dbt":
        assert len(asked) == 1  # all in one file


@pytest.mark.parametrize("name", OWN_PAGES)
def test_a_page_cannot_ask_another_host(name: str, page: Callable[..., Browser]) -> None:
    """The policy in each page's head stops it, whatever a description might smuggle in."""
    browser = page(name)
    browser.js(
        "stopped = []; addEventListener('securitypolicyviolation', (event) => stopped.push(event.blockedURI)); 0"
    )
    browser.js("document.body.append(Object.assign(new Image(), {src: 'https://example.com/x.png'})); 0")
    assert browser.js("fetch('https://example.com/y').then(() => 'sent', () => 'refused')") == "refused"
    browser.wait(lambda: browser.js("stopped.length") == 2, "the policy to stop both")


def test_every_link_leads_somewhere(site: Path) -> None:
    pages = {path.name: path.read_text(encoding="utf-8") for path in site.glob("*.html") if path.name != "dbt.html"}
    anchors = {name: set(map(unescape, re.findall(r' id="([^"]+)"', html))) for name, html in pages.items()}
    data = re.search(r'id="data">(.*?)</script>', pages["lineage.html"], re.DOTALL)
    assert data
    anchors["lineage.html"] |= set(json.loads(data[1])["columns"])
    count = 0
    for name, html in pages.items():
        links = re.findall(r'href="([^"]*)"', html.split("<script>")[0])
        for link in map(unescape, links):
            if link.startswith("data:"):
                continue
            file, fragment = urldefrag(link)
            assert (site / (file or name)).is_file(), f"{name}: {link}"
            assert not fragment or fragment in anchors[file or name], f"{name}: {link}"
            count += 1
    assert count > len(anchors["lineage.html"]), "every column has a link to its lineage, and there are others"
    assert {f"{name}.html" for name in TITLES} == {path.name for path in site.iterdir()}


def test_the_start_page_leads_to_every_page(page: Callable[..., Browser]) -> None:
    for name, title in TITLES.items():
        browser = page("index")
        browser.click(f'{"nav a" if name == "index" else "main a.card"}[href="{name}.html"]')
        wait_for_page(browser, name, title)


def test_booked_sales_by_country_in_three_clicks(page: Callable[..., Browser]) -> None:
    """From the start page: the answer itself, then the table's entry, then the column's lineage."""
    browser = page("index")
    assert ["Booked sales by country", "orders_obt", "sum gross_sales_amount by customer_country"] in [
        row.split("\t") for row in texts(browser, "tbody tr")
    ]
    browser.click('main td a[href="dictionary.html#orders_obt"]')
    browser.wait(lambda: browser.js("location.pathname").endswith("/dictionary.html"))
    browser.wait(
        lambda: browser.js("document.querySelector('section[id=orders_obt] h3')?.getBoundingClientRect().top < 300")
    )
    assert "Sum gross_sales_amount by customer_country for booked sales by country" in " ".join(
        texts(browser, "section[id=orders_obt] p")
    )
    browser.click('a[href="lineage.html#orders_obt.gross_sales_amount"]')
    browser.wait(lambda: texts(browser, "h2#name") == ["orders_obt.gross_sales_amount"])
    assert "raw_classicmodels.orderdetails.price_each" in texts(browser, "#up a")


@pytest.mark.parametrize("start", ["index", "lineage"])
def test_a_column_is_found_by_search(start: str, page: Callable[..., Browser]) -> None:
    browser = page(start)
    browser.type("#find", "credit limit")
    found = texts(browser, "#found a")
    assert found[:1] == ["Credit limit"] or start == "lineage"
    assert found[int(start == "index")].endswith(".credit_limit")
    assert "dim_customers.credit_limit" in found
    browser.type("#find", "balances outstanding")
    assert "fct_customer_balances.outstanding_amount" in texts(browser, "#found a")
    browser.type("#find", "is_over_limit")
    browser.click("#found a")
    browser.wait(lambda: texts(browser, "h2#name") == ["fct_customer_balances.is_over_limit"])


@pytest.mark.parametrize("start", ["index", "lineage"])
@pytest.mark.parametrize("typed", ["weather", "sales by moonlight", "qqqq"])
def test_a_search_without_a_hit_leads_to_the_questions(start: str, typed: str, page: Callable[..., Browser]) -> None:
    browser = page(start)
    browser.type("#find", typed)
    assert texts(browser, "#found a") == ["Which column do I sum?"]
    assert "Nothing has all of these words." in " ".join(texts(browser, "#found li"))
    browser.click("#found a")
    browser.wait(lambda: browser.js("location.pathname + location.hash").endswith("/index.html#which-column"))
    browser.wait(lambda: browser.js("document.getElementById('which-column')?.getBoundingClientRect().top < 300"))


@pytest.mark.parametrize(
    ("typed", "leads_to"),
    [
        ("revenue", "metrics_by_month.net_sales_amount"),
        ("turnover month", "metrics_by_month.net_sales_amount"),
        ("profit", "fct_order_lines.net_margin_amount"),
        ("what is our profit", "Margin"),
        ("who owes", "Outstanding"),
        ("custmer contry", "orders_obt.customer_country"),
        ("days sales outstandign", "metrics_by_month.days_sales_outstanding"),
        ("kept order", "Kept order"),
        ("star schema", "Star schema"),
    ],
)
def test_search_knows_other_words_slips_terms_and_pages(
    typed: str, leads_to: str, page: Callable[..., Browser]
) -> None:
    browser = page("index")
    browser.type("#find", typed)
    assert leads_to in texts(browser, "#found a")


def test_a_term_and_a_page_lead_where_they_say(page: Callable[..., Browser]) -> None:
    browser = page("index")
    browser.type("#find", "kept order")
    browser.click("#found a[href^='glossary']")
    browser.wait(lambda: browser.js("location.pathname + location.hash").endswith("/glossary.html#kept-order"))
    browser.wait(lambda: browser.js("document.querySelector(':target strong')?.textContent") == "Kept order")


def test_search_is_used_without_a_mouse(page: Callable[..., Browser]) -> None:
    browser = page("index")
    browser.press("/")
    assert browser.js("document.activeElement.id") == "find"
    browser.type("#find", "days to ship")
    found = texts(browser, "#found a")
    for key in ("ArrowDown", "ArrowDown", "ArrowUp", "ArrowDown"):
        browser.press(key)
    assert browser.js("document.activeElement.textContent") == found[1]
    browser.press("Enter")
    browser.wait(lambda: texts(browser, "h2#name") == [found[1]])
    browser = page("dictionary")
    browser.press("/")
    assert browser.js("document.activeElement.id") == "filter"
    assert browser.js("document.activeElement.value") == ""


def test_the_start_page_begins_with_figures(documented: Documented, page: Callable[..., Browser], site: Path) -> None:
    ((month,),) = documented.query(
        "select to_char(max(order_date), 'YYYY-MM') from raw_classicmodels.orders where status <> 'Cancelled'"
    )
    ((sales, orders),) = documented.query(f"""
        select sum(quantity_ordered * price_each), count(distinct order_number)
        from raw_classicmodels.orders join raw_classicmodels.orderdetails using (order_number)
        where status <> 'Cancelled' and to_char(order_date, 'YYYY-MM') = '{month}'""")
    browser = page("index")
    seen = dict(zip(texts(browser, "#figures dt"), texts(browser, "#figures .figure"), strict=True))
    assert seen[f"Net sales in {month}"] == f"${sales:,.0f}"
    assert seen["Orders"] == f"{orders:,}"
    assert len(seen) == 5
    assert browser.js(
        "document.querySelector('#figures').getBoundingClientRect().bottom < document.querySelector('#find').getBoundingClientRect().top"
    )
    assert texts(browser, "nav a")[0] == "Start"  # there is no dashboard beside this site


def test_titles_are_those_of_the_links(page: Callable[..., Browser]) -> None:
    for name in OWN_PAGES:
        assert texts(page(name), "h1") == ["classicmodels" if name == "index" else TITLES[name]]


def test_a_lineage_is_shown_at_once(page: Callable[..., Browser]) -> None:
    browser = page("lineage")
    assert texts(browser, "h2#name") == ["metrics_by_country.gross_sales_amount"]
    assert browser.js("document.querySelectorAll('.picture rect').length") > 4


def test_a_column_says_what_is_in_it(documented: Documented, page: Callable[..., Browser]) -> None:
    """By the warehouse's statistics, which are exact for tables as small as these."""
    rows = documented.query("select order_status, count(*) from marts.fct_orders group by 1 order by 2 desc, 1")
    total = sum(count for _, count in rows)
    browser = page("lineage#fct_orders.order_status")
    seen = dict(zip(texts(browser, ".profile dt"), texts(browser, ".profile dd"), strict=True))
    assert (seen["empty"], seen["distinct"]) == ("0%", f"about {len(rows)}")
    assert seen["most often"].startswith(f"{rows[0][0]} ({round(rows[0][1] / total * 100)}%), ")
    ((missing,),) = documented.query(
        "select avg(case when days_to_ship is null then 100.0 else 0 end) from marts.fct_orders"
    )
    browser = page("lineage#fct_orders.days_to_ship")
    assert float(texts(browser, ".profile dd")[0].rstrip("%")) == pytest.approx(float(missing), abs=0.5)
    browser = page("lineage#fct_orders.order_number")
    ((low, high),) = documented.query("select min(order_number), max(order_number) from marts.fct_orders")
    sample = dict(zip(texts(browser, ".profile dt"), texts(browser, ".profile dd"), strict=True))["sample"]
    assert sample.split(", ")[0] == str(low) and sample.split(", ")[-1] == str(high)
    for column in ("dim_customers.phone", "fct_orders.customer_key", "dim_employees.employee_key"):
        browser = page(f"lineage#{column}")
        assert "personal data: not shown" in texts(browser, ".profile dd"), column
    assert browser.js("Object.keys(data.columns).filter((name) => data.columns[name][6].length).length") > 300


def _contrast(one: str, other: str) -> float:
    """WCAG 2.2, of two colours as ``rgb(1, 2, 3)``."""
    lights = []
    for colour in (one, other):
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        lights.append(0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05)
    return max(lights) / min(lights)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_stars_lines_stand_out(scheme: str, page: Callable[..., Browser]) -> None:
    browser = page("star")
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    try:
        ground = browser.js("getComputedStyle(document.body).backgroundColor")
        colours = browser.js(
            "[...document.querySelectorAll('.key')].map((line) => [getComputedStyle(line).stroke, getComputedStyle(line).opacity])"
        )
    finally:
        browser.call("Emulation.setEmulatedMedia", features=[])
    assert len({colour for colour, _ in colours}) == 7  # a colour for each dimension
    assert all(_contrast(colour, ground) >= 4.5 and opacity == "1" for colour, opacity in colours), colours


def test_print_leaves_out_what_only_a_screen_needs(page: Callable[..., Browser]) -> None:
    browser = page("dictionary")
    browser.call(
        "Emulation.setEmulatedMedia", media="print", features=[{"name": "prefers-color-scheme", "value": "dark"}]
    )
    try:
        assert texts(browser, "nav, .tools") == []
        assert browser.js("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    finally:
        browser.call("Emulation.setEmulatedMedia", media="", features=[])


def test_a_lineage_is_followed_up_and_down(page: Callable[..., Browser]) -> None:
    browser = page("lineage")
    browser.type("#find", "metrics_by_country outstanding")
    browser.click("#found a")
    browser.wait(lambda: texts(browser, "h2#name") == ["metrics_by_country.outstanding_amount"])
    assert texts(browser, "#down a") == []
    for step in ("fct_customer_balances.outstanding_amount", "int_customers__monthly_activity.paid_amount"):
        browser.click(f'#up a[href="#{step}"]')
        browser.wait(lambda step=step: texts(browser, "h2#name") == [step])  # type: ignore[misc]
        assert browser.js("decodeURIComponent(location.hash)") == f"#{step}"
    browser.click('#up a[href="#raw_classicmodels.payments.amount"]')
    browser.wait(lambda: texts(browser, "h2#name") == ["raw_classicmodels.payments.amount"])
    assert texts(browser, "#up a") == []
    assert "metrics_by_country.outstanding_amount" in texts(browser, "#down a")
    assert "Receivables report" in " ".join(texts(browser, "#chosen p"))
    boxes = browser.js("[...document.querySelectorAll('.picture a title')].map((e) => e.textContent)")
    assert {"raw_classicmodels.payments.amount", "fct_payments.payment_amount"} <= set(boxes)
    browser.click('#down a[href="#fct_payments.payment_amount"]')
    browser.wait(lambda: texts(browser, "h2#name") == ["fct_payments.payment_amount"])


def test_the_dictionary_is_searched(documented: Documented, page: Callable[..., Browser]) -> None:
    nodes = [*documented.manifest["nodes"].values(), *documented.manifest["sources"].values()]
    described = [
        column
        for node in nodes
        if node["resource_type"] in ("model", "snapshot", "seed", "source")
        for column in node["columns"].values()
    ]
    browser = page("dictionary", 400)
    everything = len(texts(browser, "tbody tr"))
    assert everything >= len(described)
    browser.type("#filter", "telephone fct")
    assert texts(browser, "section h3") == []
    browser.type("#filter", "dim customers phone")
    assert [row.split()[0] for row in texts(browser, "tbody tr")] == ["phone"]
    assert texts(browser, "#count") == [f"1 of {everything}"]
    browser.type("#filter", "")
    browser.js("document.querySelector('#filter').value = ''")
    browser.click("#personal")
    personal = texts(browser, "tbody tr")
    assert len(personal) == sum(bool(column["config"]["meta"].get("pii")) for column in described) > 0
    assert all("personal data" in row for row in personal)
    browser.click("#personal")
    browser.js("document.querySelector('#owner').value = 'Finance'")
    browser.js("document.querySelector('#owner').dispatchEvent(new Event('input'))")
    assert [title.split()[0] for title in texts(browser, "section h3")] == [
        *("fct_closed_months", "fct_customer_balances", "fct_payments", "fct_receivables", "fct_sales_adjustments")
    ]


def test_the_dictionary_is_complete(documented: Documented, site: Path) -> None:
    html = (site / "dictionary.html").read_text(encoding="utf-8")
    for node in documented.manifest["nodes"].values():
        if node["resource_type"] in ("model", "snapshot", "seed"):
            for column in node["columns"]:
                assert f'<tr id="{node["name"]}.{column}"' in html
    assert '<tr id="raw_classicmodels.customers.phone" data-personal>' in html
    assert '<tr id="raw_classicmodels.offices.phone">' in html
    assert re.search(r'id="fct_payments.check_number" data-personal>.*?<mark>personal data: quasi</mark>', html)
    assert re.search(r'id="dim_customers.country">.*?<td>varchar\(255\)</td>', html)


def test_the_star_is_drawn_from_the_tests(documented: Documented, page: Callable[..., Browser]) -> None:
    keys = foreign_keys(documented.manifest)
    browser = page("star")
    lines = browser.js("[...document.querySelectorAll('svg .key title')].map((e) => e.textContent)")
    assert sorted(lines) == sorted(f"{key.table}.{key.column} → {key.dimension}.{key.key}" for key in keys)
    assert "fct_order_lines.sales_rep_employee_key → dim_employees.employee_key" in lines
    head = texts(browser, ".matrix thead th")
    balances = browser.js(
        "[...document.querySelectorAll('.matrix tbody tr')].find((e) => e.innerText.startsWith('fct_customer_balances')).innerText"
    )
    marks = dict(zip(head, balances.split("\t")[1:], strict=True))
    assert {name for name, mark in marks.items() if mark} == {"dim_customers", "dim_dates"}


def test_the_last_build_and_freshness_are_shown(documented: Documented, page: Callable[..., Browser]) -> None:
    results = json.loads((documented.target / "last_build.json").read_text(encoding="utf-8"))["results"]
    results = [result for result in results if not result["unique_id"].startswith("exposure.")]
    passed = sum(result["status"] == "pass" for result in results)
    browser = page("quality")
    assert f"pass {passed:,}" in " ".join(texts(browser, "p"))
    assert texts(browser, "#count") == [f"{len(results)} of {len(results)}"]
    assert len([row for row in texts(browser, "table") if "raw_classicmodels.orders" in row]) == 1
    browser.type("#filter", "no order line is lost")
    assert [row.split()[0] for row in texts(browser, "section tbody tr")] == ["assert_no_order_line_is_lost"]


def test_the_last_landing_is_shown_as_the_warehouse_recorded_it(
    documented: Documented, page: Callable[..., Browser]
) -> None:
    recorded = documented.query(
        "select source_table, row_count, checksum, inserted, updated, deleted, cast_exceptions from raw_classicmodels._landing_tables"
        " where run_id = (select run_id from raw_classicmodels._landing_runs order by loaded_at desc limit 1)"
    )
    browser = page("landing")
    shown = [[cell.strip().replace(",", "") for cell in row.split("\t")] for row in texts(browser, "tbody tr")]
    assert sorted(shown) == sorted([str(value) for value in row] for row in recorded)
    assert len(shown) == 8


def test_the_glossary_says_what_the_columns_are(page: Callable[..., Browser]) -> None:
    browser = page("glossary")
    terms = texts(browser, "p[id] strong")
    assert {"Booked sales", "Net sales", "Outstanding", "Landing"} <= set(terms)
    names = texts(browser, "code")
    assert names == texts(browser, "a code"), "a name that is neither a table nor a column of one"


def test_no_personal_data_is_on_a_page(documented: Documented, site: Path) -> None:
    values = documented.query(
        "select contact_first_name || ' ' || contact_last_name from marts.dim_customers where contact_last_name is not null"
        " union select phone from marts.dim_customers union select address_line1 from marts.dim_customers"
        " union select email from marts.dim_employees union select full_name from marts.dim_employees where full_name <> 'Unknown'"
    )
    secrets = {value for (value,) in values if value}
    assert len(secrets) == 406
    for path in site.iterdir():
        text = unescape(path.read_text(encoding="utf-8"))
        assert not [value for value in secrets if value in text], path.name
