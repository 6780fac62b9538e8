"""The figures on the pages, to the cent: those that are known of the real data, the totals beside it, and raw tables again."""

import csv
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from sandbox import home, postgres
from serving.dashboards.__main__ import EXPLORE
from tests.conftest import DUMP, PROJECT
from tests.serving.conftest import Dashboards, Reader


def cents(amount: str) -> int:
    return int(Decimal(amount.replace(",", "")) * 100)


def totals(name: str) -> list[dict[str, str]]:
    with (DUMP.parent / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def tiles(amount: str, before: str, orders: int, orders_before: int, margin: str, margin_before: str) -> list[Any]:
    return [
        ("Net sales", cents(amount), cents(before)),
        ("Orders", orders, orders_before),
        ("Margin", cents(margin), cents(margin_before)),
    ]


@pytest.mark.parametrize(
    ("state", "title", "expected"),
    [
        (
            "",
            "Net sales reached $1.77M in January to May 2005, 48% above the year before",
            tiles("1,770,936.71", "1,194,035.17", 64, 44, "695,876.17", "481,934.62"),
        ),
        (
            "#year=2004",
            "Net sales reached $4.34M in 2004, 34% above the year before",
            tiles("4,344,182.02", "3,250,217.70", 147, 109, "1,739,574.51", "1,296,061.29"),
        ),
        (
            "#year=2004&line=Classic+Cars",
            "Classic Cars sold $1.69M in 2004, ",
            [("Net sales", cents("1,689,307.07"), None)],
        ),
        (
            "#line=Vintage+Cars",
            "Vintage Cars sold $324k in January to May 2005, 55% above the year before",
            [("Net sales", cents("323,846.30"), None)],
        ),
        (
            "#line=Ships&country=Spain",
            "Ships in Spain sold $16.1k in January to May 2005",
            [("Net sales", cents("16,068.75"), 0), ("Orders", 1, 0)],
        ),
    ],
)
def test_the_overview_tells(
    state: str, title: str, expected: list[Any], dashboards: Dashboards, browser: Reader
) -> None:
    browser.open(dashboards.address(f"overview{state}"), 1400)
    found = {name: (value, before) for name, value, before in browser.tiles()}
    for name, value, before in expected:
        assert found[name][0] == value
        assert before is None or found[name][1] == before
    assert browser.text("h1").startswith(title)


def test_the_overview_says_how_margin_and_lateness_changed(dashboards: Dashboards, browser: Reader) -> None:
    browser.open(dashboards.address("overview"), 1400)
    seen = browser.js("document.querySelector('.kpis').innerText").split("\n")
    for words in (
        "39.3%",
        "−1.1 points from 40.4%",
        "0 of 55",
        "from 0 of 44",
        "+48% from $1.19M",
        "+45% from 44",
        "$27.7k",
    ):
        assert words in seen
    browser.open(dashboards.address("overview#line=Ships&country=Spain"), 1400)
    assert browser.js("document.querySelector('.kpis').innerText").count("none before") == 5


def test_the_overviews_lists(dashboards: Dashboards, browser: Reader) -> None:
    browser.open(dashboards.address("overview"), 1400)
    found = {row["Product line"]: (row["net_sales_amount"], row["a year before"]) for row in browser.table("line")}
    assert found["Classic Cars"] == ("715953.54", "478003.31")
    assert found["Vintage Cars"] == ("323846.30", "208737.13")
    assert found["Motorcycles"] == ("245273.04", "165782.78")
    assert found["Trains"] == ("26425.34", "25890.87")
    countries = {row["Country"]: (row["net_sales_amount"], row["a year before"]) for row in browser.table("country")}
    assert len(countries) == 21
    assert countries["USA"] == ("574579.81", "375417.99")
    assert countries["Spain"] == ("290018.52", "158892.74")
    assert countries["France"] == ("217347.62", "225665.94")
    assert countries["Austria"] == ("61227.19", "0.00")
    seen = browser.shown("country")
    assert seen["France"][1:] == ["$217k", "12%", "−4%"]
    assert seen["New Zealand"][-1] == "×5.2"
    assert seen["Austria"][-1] == "none before"
    assert seen["14 others"][1] == "$215k"
    assert browser.text("#line h2") == "Classic Cars bring 40% of sales; they also grew most"
    assert browser.text("#country h2") == "USA and Spain bring 49% of sales"
    assert browser.text("#places h2") == "10 countries bought more than a year before, 8 less"
    assert browser.text("#years h2") == "November brings 30% and 23% of a year"


def test_new_customers(dashboards: Dashboards, browser: Reader) -> None:
    browser.open(dashboards.address("overview"), 1400)
    found = {row["month"]: int(row["customer_count"]) for row in browser.table("new")}
    assert sum(found.values()) == 98
    assert found["2003-11"] == 15
    assert found["2004-09"] == 2
    assert not any(count for month, count in found.items() if month > "2004-09")
    assert browser.text("#new h2") == "No new customer since September 2004"


def test_all_months_are_the_known_total(dashboards: Dashboards, browser: Reader) -> None:
    browser.open(dashboards.address("overview"), 1400)
    rows = browser.table("years")
    assert sum(Decimal(row["net_sales_amount"]) for row in rows) == Decimal(
        totals("01_totals.csv")[0]["sales_excl_cancelled"]
    )
    ((late, kept, shipped),) = dashboards.star.query("""
        select count(case when shipped_date > required_date then 1 end), count(case when status <> 'Cancelled' then 1 end), count(*)
        from raw_classicmodels.orders where shipped_date is not null""")
    assert (late, shipped) == (
        1,
        int(totals("19_days_to_ship.csv")[0]["shipped_orders"]),
    )  # two of them cancelled after all
    assert (sum(int(row["late"]) for row in rows), sum(int(row["shipped"]) for row in rows)) == (1, kept)
    november = {row["month"]: Decimal(row["net_sales_amount"]) for row in rows}
    for year, share in (("2003", "0.297"), ("2004", "0.225")):
        whole = sum(value for month, value in november.items() if month.startswith(year))
        assert round(november[f"{year}-11"] / whole, 3) == Decimal(share)


@pytest.mark.parametrize(
    "state",
    [
        "",
        "year=2004",
        "year=2003&line=Planes",
        "line=Trains",
        "country=USA",
        "year=2004&country=Spain&line=Classic+Cars",
    ],
)
def test_the_overview_is_what_raw_tables_say(state: str, dashboards: Dashboards, browser: Reader) -> None:
    browser.open(dashboards.address(f"overview#{state}"), 1400)
    chosen = dict(pair.split("=") for pair in state.replace("+", " ").split("&") if pair)
    year = int(chosen.get("year", "2005"))
    where = "".join(
        f" and {column} = '{chosen[key]}'"
        for key, column in (("line", "product_line"), ("country", "trim(country)"))
        if key in chosen
    )
    expected = []
    for asked in (year, year - 1):
        expected += dashboards.star.query(f"""
            select coalesce(sum(quantity_ordered * price_each), 0), count(distinct o.order_number),
                coalesce(sum(quantity_ordered * (price_each - buy_price)), 0),
                count(distinct case when shipped_date > required_date then o.order_number end)
            from raw_classicmodels.orders o
            join raw_classicmodels.orderdetails d on d.order_number = o.order_number
            join raw_classicmodels.products p on p.product_code = d.product_code
            join raw_classicmodels.customers c on c.customer_number = o.customer_number
            where status <> 'Cancelled' and extract(year from order_date) = {asked}
                and extract(month from order_date) <= {5 if year == 2005 else 12}{where}""")  # fmt: skip
    found = {name: (value, before) for name, value, before in browser.tiles()}
    (sales, orders, margin, late), (sales0, orders0, margin0, late0) = expected
    assert found["Net sales"] == (sales * 100, sales0 * 100)
    assert found["Orders"] == (orders, orders0)
    assert found["Margin"] == (margin * 100, margin0 * 100)
    assert found["Shipped late"] == (late, late0)


def test_a_click_filters_and_the_address_keeps_it(dashboards: Dashboards, browser: Reader) -> None:
    browser.open(dashboards.address("overview"), 1400)
    browser.click("#line tr[data-key='Classic Cars'] button")
    browser.wait(lambda: browser.tiles()[0][1] == 71595354)
    browser.click("#places a[data-to='Spain']")
    browser.wait(lambda: browser.js("location.hash") == "#line=Classic+Cars&country=Spain")
    assert browser.js("[...document.querySelectorAll('.chip')].map((chip) => chip.textContent)") == [
        "Classic Cars ×",
        "Spain ×",
    ]
    sales = browser.tiles()[0][1]
    browser.open(browser.js("location.href"), 1400)
    assert browser.tiles()[0][1] == sales
    browser.click(".chip")
    browser.wait(lambda: browser.tiles()[0][1] == 29001852)
    browser.js("history.back()")
    browser.wait(lambda: browser.tiles()[0][1] == sales)
    browser.open(dashboards.address("overview#year=1999&line=Boats&country=%3Cb%3E"), 1400)
    assert browser.tiles()[0][1] == 177093671


WHY = {
    "2004-11": ("500,233.86", "979,291.98", ["769,590.55", "-295,631.97", "8,748.97", "-3,649.43"], [("0", 0), ("891,028.29", 27), ("-38,077.58", 3), ("-373,892.59", 10)]),
    "2003-11": ("470,169.12", "965,061.55", ["331,884.08", "157,523.76", "4,530.35", "954.24"], [("549,670.40", 15), ("389,538.32", 11), ("-5,868.59", 2), ("-438,447.70", 14)]),
    "2004-11&to=year": ("965,061.55", "979,291.98", ["133,111.94", "-123,620.13", "-2,268.85", "7,007.47"], [("0", 0), ("843,603.71", 25), ("-63,663.77", 5), ("-765,709.51", 23)]),
    "2005-05&to=year": ("206,880.09", "441,474.94", ["236,434.39", "-2,606.18", "2,084.44", "-1,317.80"], None),
}  # fmt: skip


@pytest.mark.parametrize("state", WHY)
def test_why(state: str, dashboards: Dashboards, browser: Reader) -> None:
    before, now, steps, behaviour = WHY[state]
    browser.open(dashboards.address(f"why#month={state}"), 1400)
    rows = [cents(row["net_sales_amount"]) for row in browser.table("causes")]
    assert rows == [cents(before), *map(cents, steps), cents(now)]
    if behaviour:
        rows_of_customers = browser.table("behaviour")[1:-1]
        assert [(cents(row["net_sales_amount"]), int(row["detail"].split()[0])) for row in rows_of_customers] == [
            (cents(a), n) for a, n in behaviour
        ]
    for block in ("line", "country", "customer"):
        assert sum(cents(row["difference"]) for row in browser.table(block)) == cents(now) - cents(before)


def test_why_november(dashboards: Dashboards, browser: Reader) -> None:
    """The default of the page is the answer to the question it was made for."""
    browser.open(dashboards.address("why"), 1400)
    assert browser.text("h1") == "November 2004 sold $479k more than October 2004, because of more orders"
    assert browser.text("#causes h2") == "20 more orders, but smaller: 324 pieces each instead of 422"
    assert browser.text("#behaviour h2") == "No new customers; earlier ones came back"
    lines = {row["Product line"]: cents(row["difference"]) for row in browser.table("line")}
    assert (lines["Classic Cars"], lines["Motorcycles"], lines["Vintage Cars"]) == (20210524, 8524074, 7653527)
    countries = {row["Country"]: cents(row["difference"]) for row in browser.table("country")}
    assert (countries["USA"], countries["Australia"], countries["Sweden"]) == (20840087, 8226122, 5901988)
    assert [browser.text(f"#{block} h2") for block in ("line", "country", "customer")] == [
        "Classic Cars: 42% of it; 6 of 7 rose",
        "USA: 44% of it",
        "Spread over many customers: the first brings 17%",
    ]
    browser.js("document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowLeft', bubbles: true}))")
    assert browser.js("location.hash") == "#month=2004-10"
    browser.open(dashboards.address("why#month=2004-11&to=year"), 1400)
    assert browser.text("h1") == "November 2004 sold about as much as November 2003"


def test_every_month_adds_up_in_both_bridges_and_all_lists(dashboards: Dashboards) -> None:
    page = dashboards.content("why")
    sales = dict(page["blocks"][0]["rows"])
    assert len(page["states"]) == 28 + 17
    for state, said in page["states"].items():
        _, causes, behaviour, *parts = said["blocks"]
        difference = sales[state[:7]] - causes["rows"][0][1]
        for bridge in (causes, behaviour):
            first, *steps, last = (row[1] for row in bridge["rows"])
            assert first + sum(steps) == last == sales[state[:7]], state
        for part in parts:
            assert sum(row[1] for row in part["rows"]) == difference, state
        assert "161%" not in json.dumps(said), state


def test_customers_and_receivables(dashboards: Dashboards, browser: Reader) -> None:
    browser.open(dashboards.address("customers"), 1400)
    assert [value for _, value, _ in browser.tiles()] == [51149720, 16, 3, 2301417, 1]
    owed = {
        row["customer"].split(" · ")[0]: (row["outstanding_amount"], row["credit_limit"])
        for row in browser.table("owed")
    }
    assert owed["450"] == ("83984.89", "77600.00")
    assert owed["362"] == ("50806.85", "41900.00")
    assert owed["328"] == ("43525.04", "43000.00")
    known = {
        row["customerNumber"]: row["balance"]
        for row in totals("27_balance_outstanding.csv")
        if Decimal(row["balance"]) > 0
    }
    assert len(known) == 16
    assert all(Decimal(owed[number][0]) == Decimal(balance) for number, balance in list(known.items())[:12])
    ages = {row["days since the order"]: row["owed_amount"] for row in browser.table("age")}
    assert ages == {
        "up to 30": "275256.19",
        "31 to 60": "137946.46",
        "61 to 90": "75280.38",
        "more than 90": "23014.17",
    }
    months = {row["month end"]: row["outstanding_amount"] for row in browser.table("owed-months")}
    assert months["2005-05"] == "570586.46"
    first = browser.table("cohorts")[0]
    assert (first["first order"], first["customers"], float(first["+7"])) == ("2003 Q1", "14", 1.0)
    assert "by $15.8k together" in browser.js("document.querySelector('.kpis').innerText")


def test_finance(dashboards: Dashboards, browser: Reader) -> None:
    browser.open(dashboards.address("finance"), 1400)
    assert [value for _, value, _ in browser.tiles()] == [50.6, 51149720, 90911119, 936533643, 0]
    assert browser.text("h1") == "Customers owe 50.6 days of sales; no closed month has changed since it was reported"
    rows = {row["month"]: row for row in browser.table("closed")}
    assert sum(cents(row["net_sales_amount"]) for row in rows.values()) == 936533643
    assert rows["November 2004"]["reported_amount"] == "979291.98"
    assert rows["May 2005"]["outstanding_amount"] == "570586.46"
    days = {row["month"]: Decimal(row["days_sales_outstanding"] or 0) for row in browser.table("days")}
    for key, day in (("2005-05", "2005-05-31"), ("2004-11", "2004-11-30"), ("2003-12", "2003-12-31")):
        ((expected,),) = dashboards.star.query(f"""
            with kept as (
                select order_date, quantity_ordered * price_each as amount
                from raw_classicmodels.orders join raw_classicmodels.orderdetails using (order_number) where status <> 'Cancelled'
            )
            select round(90 * (
                (select sum(amount) from kept where order_date <= '{day}')
                - (select sum(amount) from raw_classicmodels.payments where payment_date <= '{day}')
            ) / (select sum(amount) from kept where order_date <= '{day}' and order_date > date '{day}' - 90), 1)""")
        assert days[key] == expected, key


def test_finance_says_what_has_changed_since_a_month_was_reported(
    dashboards: Dashboards, browser: Reader, tmp_path: Path
) -> None:
    try:
        dashboards.star.query(
            "insert into marts.fct_sales_adjustments values (20041130, 10300, 'cancelled', 5100, -5100, 0)",
            "insert into marts.fct_sales_adjustments values (20041130, 10301, 'corrected', 100, 0.25, 100.25)",
            "update marts.fct_closed_months set adjustment_amount = -5099.75 where year_month = '2004-11'",
        )
        assert dashboards.write(tmp_path).returncode == 0
    finally:
        dashboards.star.query(
            "delete from marts.fct_sales_adjustments", "update marts.fct_closed_months set adjustment_amount = 0"
        )
    browser.open((tmp_path / "finance.html").as_uri(), 1400)
    assert browser.text("h1").endswith("; 2 orders of closed months changed since: −$5.10k")
    assert browser.tiles()[-1][1] == -509975
    assert browser.shown("reasons")["cancelled"][1:] == ["1", "−$5,100"]
    assert browser.shown("closed")["November 2004"][2] == "−$5,100"
    assert browser.text("#closed h2") == "Reported $9.37M, today $9.36M"


EXPLORED = {
    "": ("sum(case when kept then amount else 0 end)", "trim(country)", "extract(year from order_date)"),
    "measure=orders&by=product+line&and=month": ("count(distinct case when kept then order_number end)", "product_line", "to_char(order_date, 'YYYY-MM')"),
    "measure=orders&by=office&and=quarter": ("count(distinct case when kept then order_number end)", "coalesce(office, 'none')", "to_char(order_date, 'YYYY-\"Q\"Q')"),
    "measure=booked+sales&by=status&and=product+line": ("sum(amount)", "status", "product_line"),
    "measure=pieces&by=representative&and=year": ("sum(case when kept then quantity_ordered else 0 end)", "coalesce(cast(rep as text), 'none')", "extract(year from order_date)"),
    "measure=margin&by=territory&and=territory": ("sum(case when kept then amount - quantity_ordered * buy_price else 0 end)", "coalesce(territory, 'none')", "'all'"),
    "measure=average+order&by=year&and=product+line": ("round(sum(case when kept then amount end) / nullif(count(distinct case when kept then order_number end), 0), 2)", "extract(year from order_date)", "product_line"),
}  # fmt: skip


@pytest.mark.parametrize("state", EXPLORED)
def test_explore_is_what_raw_tables_say(state: str, dashboards: Dashboards, browser: Reader) -> None:
    if not EXPLORE.exists():
        pytest.skip("Altair is not installed here (make explore installs it): Explore was not made")
    measure, first, second = EXPLORED[state]
    browser.open(dashboards.address(f"explore#{state}"), 1400)
    rows = dashboards.star.query(f"""
        with lines as (
            select o.*, c.country, p.product_line, p.buy_price, d.quantity_ordered, d.quantity_ordered * d.price_each as amount,
                o.status <> 'Cancelled' as kept, e.employee_number as rep, f.city as office, f.territory
            from raw_classicmodels.orders o
            join raw_classicmodels.orderdetails d on d.order_number = o.order_number
            join raw_classicmodels.products p on p.product_code = d.product_code
            join raw_classicmodels.customers c on c.customer_number = o.customer_number
            left join raw_classicmodels.employees e on e.employee_number = c.sales_rep_employee_number
            left join raw_classicmodels.offices f on f.office_code = e.office_code
        )
        select cast({first} as text), cast({second} as text), {measure} from lines group by 1, 2""")
    exact = {(one, two): value for one, two, value in rows if value is not None}
    found = {(one, two): round(Decimal(value), 2) for one, two, value in map(dict.values, browser.table("explore"))}
    assert {key: value for key, value in found.items() if value} == {
        key: value for key, value in exact.items() if value
    }
    browser.wait(lambda: browser.js("document.documentElement.dataset.drawn"), "the drawing")
    assert browser.js("document.querySelectorAll('#explore svg.marks').length") == 1
    drawn = browser.js("document.querySelectorAll('#explore svg .mark-rect path').length")
    assert drawn == len(found)


def test_explore_keeps_its_state_in_the_address(dashboards: Dashboards, browser: Reader) -> None:
    if not EXPLORE.exists():
        pytest.skip("Altair is not installed here (make explore installs it): Explore was not made")
    browser.open(dashboards.address("explore"), 1400)
    assert browser.text("h1") == "Net sales by country and year: most in USA, 2004, $1.49M"
    browser.js(
        "s = document.querySelector('[data-key=measure]'); s.value = 'margin rate'; s.dispatchEvent(new Event('change', {bubbles: true})); 0"
    )
    browser.click("[data-set=as][data-to=lines]")
    browser.wait(
        lambda: browser.js("document.querySelectorAll('#explore svg .mark-line path').length") > 1, "the lines"
    )
    assert browser.js("location.hash") == "#measure=margin+rate&as=lines"


def test_live(dashboards: Dashboards, browser: Reader) -> None:
    browser.open(dashboards.address("live"), 1400)
    assert [value for _, value, _ in browser.tiles()] == [9, 4, 3, 3, 1]
    assert browser.text("#orders h2") == "Order 10334 is 193 days overdue; 9 of 13 open orders are overdue"
    assert browser.shown("orders")["10334"][3:] == ["193", "$23,014"]
    assert browser.shown("stock")["1960 BSA Gold Star DBD34"][1:] == ["1.4", "15"]
    assert {key: cells[-1] for key, cells in browser.shown("limits").items()} == {
        "450 · USA": "$6,385",
        "362 · USA": "$8,907",
        "328 · USA": "$525",
    }
    assert browser.text("#lede").startswith("Landed ")


def test_products(dashboards: Dashboards, browser: Reader) -> None:
    browser.open(dashboards.address("products"), 1400)
    best, worst = browser.table("best"), browser.table("worst")
    assert (best[0]["product_code"], best[0]["net_sales_amount"]) == ("S18_3232", "271014.78")
    assert (worst[0]["product_code"], worst[0]["net_sales_amount"]) == ("S24_1937", "28052.94")
    assert browser.text("#worst h2") == "Never sold: 1985 Toyota Supra"
    lines = {row["product line"]: row for row in browser.table("months")}
    prices = {row["product line"]: row for row in browser.table("prices")}
    for known in totals("02_sales_by_product_line.csv"):
        assert Decimal(lines[known["productLine"]]["all months"]) == Decimal(known["sales_excl_cancelled"])
        assert prices[known["productLine"]]["largest quantity"] == known["max_quantity"]
    assert prices["Classic Cars"]["largest quantity"] == "97"
    ((average, largest, median),) = dashboards.star.query(
        """
        select round(sum(quantity_ordered * price_each) / sum(quantity_ordered), 2), max(price_each),
            percentile_cont(0.5) within group (order by price_each)
        from raw_classicmodels.orderdetails d join raw_classicmodels.orders o on o.order_number = d.order_number
        join raw_classicmodels.products p on p.product_code = d.product_code
        where status <> 'Cancelled' and product_line = 'Ships'"""
    )
    ships = prices["Ships"]
    assert (Decimal(ships["average price"]), Decimal(ships["highest"])) == (average, largest)
    assert Decimal(ships["median"]) == round(Decimal(str(median)), 2)


def test_countries_and_offices(dashboards: Dashboards, browser: Reader) -> None:
    browser.open(dashboards.address("countries"), 1400)
    found = {row["Country"]: Decimal(row["net_sales_amount"]) for row in browser.table("countries")}
    assert found == {row["country"]: Decimal(row["sales_excl_cancelled"]) for row in totals("03_sales_by_country.csv")}
    offices = {row["Office"][0]: row["net_sales_amount"] for row in browser.table("offices")}
    assert (offices["4"], offices["1"], offices["7"]) == ("3036696.22", "1429063.57", "1347340.07")
    assert sum(map(Decimal, offices.values())) == sum(found.values())


def test_the_sales_team(dashboards: Dashboards, browser: Reader) -> None:
    browser.open(dashboards.address("team"), 1400)
    rows = {row["Representative"].split(" · ")[0]: row for row in browser.table("reps")}
    paris = rows["1370"]
    assert (paris["2004"], paris["January to May 2005"], paris["the same months before"]) == (
        "487510.31",
        "428755.70",
        "182233.77",
    )
    assert sum(cents(row["January to May 2005"]) for row in rows.values()) == 177093671
    browser.click("#managers tr[data-key^='1143'] button")
    browser.wait(lambda: len(browser.table("reps")) < len(rows))
    team = sum(cents(row["January to May 2005"]) for row in browser.table("reps"))
    assert team == next(
        cents(row["January to May 2005"]) for row in browser.table("managers") if row["Manager"].startswith("1143")
    )


@pytest.mark.parametrize(
    ("click", "where", "answer"),
    [
        (None, "#line tr[data-key='Classic Cars']", "$716k"),  # which product lines sell best?
        ("nav a[href='countries.html']", "#countries tr[data-key='USA']", "$3,232k"),  # sales by country
        ("nav a[href='products.html']", "#prices tr[data-key='Classic Cars']", "$108.08"),  # average price
        ("nav a[href='products.html']", "#prices tr[data-key='Classic Cars']", "97"),  # largest quantity per line
        ("nav a[href='team.html']", "#reps tr[data-key^='1370']", "+135%"),  # which representative develops how?
        ("#years svg a:nth-of-type(11)", "h1", "because of more orders"),  # why November?
    ],
)
def test_a_question_is_answered_in_one_click(
    click: str | None, where: str, answer: str, dashboards: Dashboards, browser: Reader
) -> None:
    browser.open(dashboards.address("overview"), 1400)
    if click:
        browser.click(click)
    browser.wait(lambda: answer in str(browser.js(f"document.querySelector({json.dumps(where)})?.innerText")), answer)


def test_metrics_for_other_tools_are_those_of_the_pages(dashboards: Dashboards) -> None:
    """The table of docs/connect.md, each expression asked as analyst."""
    text = (PROJECT / "docs" / "connect.md").read_text(encoding="utf-8")
    metrics = dict(re.findall(r"^\| (\w[\w ]+) \| `(.+)` \| (?:up|down|none) \|$", text, re.MULTILINE))
    login = home.read_state()[postgres.NAME]["roles"]["analyst"]
    given = dashboards.star.servers.environment
    connection = psycopg2.connect(
        host=given["PGHOST"], port=given["PGPORT"], dbname=given["PGDATABASE"], user="analyst", password=login
    )
    with connection, connection.cursor() as cursor:
        cursor.execute(f"select {', '.join(metrics.values())} from marts_masked.orders_obt")
        found = dict(zip(metrics, *cursor.fetchall(), strict=True))
    connection.close()
    ((sales, orders, pieces),) = dashboards.star.query(
        "select sum(net_sales_amount), count(*), sum(quantity_ordered) from marts.fct_orders where not is_cancelled"
    )
    assert found.pop("net sales") == sales == Decimal("9365336.43")
    assert found.pop("orders") == orders == 64 + 147 + 109
    assert found.pop("average order") == pytest.approx(sales / orders)
    assert found.pop("margin rate") == pytest.approx(
        Decimal(cents("695,876.17") + cents("1,739,574.51") + cents("1,296,061.29")) / 100 / sales
    )
    assert found.pop("late share") == pytest.approx(Decimal(1) / 310)
    assert found.pop("average price") == pytest.approx(sales / pieces)
    assert found == {}


def test_sql_on_a_page_gives_the_figures_on_it(dashboards: Dashboards) -> None:
    """What a reader copies from under a chart runs as it is, under any login that sees the marts."""
    page = dashboards.content("countries")
    rows = dashboards.star.query(f"set search_path = marts; {page['sql']['places']}")
    assert sum(row[-1] for row in rows) * 100 == sum(row[1] for row in page["blocks"][0]["rows"])
