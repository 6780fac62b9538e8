"""The words of each page: its title and its blocks. A block is a form of draw.js, rows of plain values, and options."""

import csv
import datetime
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from serving.dashboards.warehouse import Marts, Row
from serving.dashboards.words import MONTHS, change, day, listed, many, month, percent, rounded, short, spelled

Page = dict[str, Any]
Block = dict[str, Any]
NAMES = {
    "overview": "Overview",
    "products": "Products",
    "countries": "Countries and offices",
    "team": "Sales team",
    "why": "Why?",
    "customers": "Customers and receivables",
    "finance": "Finance",
    "explore": "Explore",
    "live": "Live",
}
QUERIES = {
    "overview": ("cube", "new_customers"),
    "products": ("products", "product_months", "cube", "prices"),
    "countries": ("places",),
    "team": ("reps", "staff", "handovers"),
    "why": ("cube", "why_steps", "why_parts"),
    "customers": ("owed", "aging", "owed_by_month", "cohorts", "baskets"),
    "finance": ("finance", "adjustments", "days_of_sales"),
    "explore": ("explore",),
    "live": ("open_orders", "products", "owed"),
}
_NET_SALES = "fct_orders.net_sales_amount"
_OWED = "fct_customer_balances.outstanding_amount"
_CHANGED = "Net sales of kept orders"
FEW_WEEKS = 4
MOST_VALUES = 60
"""Of an attribute that Explore offers: more can be told apart neither in a heat map nor in lines."""
REASONS = ("arrived late", "cancelled", "corrected", "deleted", "moved", "reinstated")


def name(at: str = "name", i: int = 0, **more: Any) -> Row:
    """A cell of a table: its kind (CELLS of draw.js), and its column of the rows."""
    return {"at": at, "i": i, **more}


def block(form: str, id: str, span: int, columns: str, types: str, rows: Sequence[Sequence[Any]], **more: Any) -> Block:
    return {"form": form, "id": id, "span": span, "cols": columns.split(","), "types": types, "rows": rows, **more}


def page(title: str, lede: str, blocks: Sequence[Block], controls: Sequence[Row] = (), **more: Any) -> Page:
    return {"title": title, "lede": lede, "blocks": blocks, "controls": controls, **more}


def kpi(called: str, figure: str, value: int, said: str, alarm: bool = False, **more: Any) -> Row:
    return {"name": called, "figure": figure, "value": value, "change": "", "from": said, "alarm": alarm, **more}


def kpis(*items: Row) -> Block:
    return {"form": "kpis", "items": items}


def with_others(rows: Sequence[list[Any]], top: int, add: Iterable[int], others: str = "others") -> list[list[Any]]:
    """The first rows, and the sums of the rest as one."""
    if len(rows) <= top + 1:
        return list(rows)
    rest: list[Any] = [None] * len(rows[0])
    rest[0] = f"{len(rows) - top} {others}"
    for i in add:
        rest[i] = sum(row[i] or 0 for row in rows[top:])
    return [*rows[:top], rest]


def customer(marts: Marts, row: Row) -> str:
    """The name, if the role may see it. Else number and country, because many share a masked name."""
    return str(row["customer_name"]) if marts.shows_names else f"{row['customer_number']} · {row['country']}"


def year_to_date(marts: Marts) -> tuple[list[str], list[str], str]:
    """The months of the last year, those of the year before, and words for the first of them."""
    year = marts.months[-1][:4]
    now = [key for key in marts.months if key.startswith(year)]
    before = [f"{int(year) - 1}{key[4:]}" for key in now]
    first, last = (MONTHS[int(key[5:]) - 1] for key in (now[0], now[-1]))
    return now, before, year if len(now) == 12 else f"{first} to {last} {year}" if first != last else f"{first} {year}"


def monthly(rows: Iterable[Row], key: str, months: list[str]) -> dict[Any, list[int]]:
    """Net sales by month of each value of ``key``."""
    found: dict[Any, list[int]] = defaultdict(lambda: [0] * len(months))
    for row in rows:
        found[row[key]][months.index(row["order_month"])] += row["net_sales_amount"]
    return found


def base36(number: int) -> str:
    digits = ""
    rest = abs(number)
    while rest or not digits:
        rest, digit = divmod(rest, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return "-" + digits if number < 0 else digits


def overview(marts: Marts) -> Page:
    """The cube, packed, because it has a cell for each month, line and country. overview.js draws and words it."""
    lines = sorted({row["product_line"] for row in marts.rows["cube"] if row["product_line"]})
    countries = sorted({row["country"] for row in marts.rows["cube"] if row["country"]})
    cells = []
    for row in marts.rows["cube"]:
        line = lines.index(row["product_line"]) + 1 if row["product_line"] else 0
        country = countries.index(row["country"]) + 1 if row["country"] else 0
        key = (marts.months.index(row["order_month"]) * (len(lines) + 1) + line) * (len(countries) + 1) + country
        measures = ("net_sales_amount", "order_count", "margin_amount", "shipped_count", "late_count")
        cells.append(" ".join(base36(value) for value in (key, *(row[measure] for measure in measures))))
    new: dict[str, list[int]] = {country: [0] * len(marts.months) for country in countries}
    for row in marts.rows["new_customers"]:
        new[row["country"]][marts.months.index(row["order_month"])] = row["customer_count"]
    years = sorted({key[:4] for key in marts.months})
    last = marts.months[-1]
    month_end = (datetime.date(int(last[:4]) + int(last[5:]) // 12, int(last[5:]) % 12 + 1, 1)) - datetime.timedelta(1)
    with (Path(__file__).parent / "places.csv").open(encoding="utf-8") as file:
        places = {row["country"]: [int(row["column"]), int(row["row"]), row["code"]] for row in csv.DictReader(file)}

    def ranked(head: str, top: int, **more: Any) -> Block:
        show = [
            name(head=head), name("bar", 1, j=2), name("unit", 1, head="net sales"),
            name("share", 1, head="share"), name("change", 1, j=2, head="change"),
        ]  # fmt: skip
        columns = f"{head},net_sales_amount,a year before"
        return block(
            "table", more["press"], 4, columns, "tcc", [], show=show, top=top, sql="cube", measure=_NET_SALES, **more
        )

    months = [*(name_[:3] for name_ in MONTHS)]
    return page(
        "Net sales",
        "",
        [
            kpis(),
            block(
                "lines", "years", 8, "month,net_sales_amount,orders,margin_amount,shipped,late", "tcncnn", [],
                subtitle="Net sales by month, a line for each year. Click a month to see why it was so.",
                labels=months, sql="cube", measure=_NET_SALES,
            ),
            block(
                "columns", "new", 4, "month,customer_count", "tn", [], sql="new_customers",
                measure="metrics_by_month.customer_count",
            ),
            ranked("Product line", 8, press="line"),
            ranked("Country", 7, press="country"),
            block(
                "tiles", "places", 4, "country,net_sales_amount,a year before", "tcc", [], press="country", key=True,
                places=places, sql="cube", measure=_NET_SALES, title="", subtitle="",
            ),
        ],
        [
            {"key": "year", "label": "Year", "values": [[year, year] for year in reversed(years)], "first": years[-1]},
            {"key": "line", "label": "Product line", "values": [[v, v] for v in lines], "first": "", "all": True},
            {"key": "country", "label": "Country", "values": [[v, v] for v in countries], "first": "", "all": True},
        ],
        cube={"months": marts.months, "lines": lines, "countries": countries, "cells": ";".join(cells)},
        newCustomers=list(new.values()),
        lastDay=day(min(month_end, marts.data_day)),
    )  # fmt: skip


def why(marts: Marts) -> Page:
    totals = {row["order_month"]: row for row in marts.rows["cube"] if not (row["product_line"] or row["country"])}
    sales = {key: totals[key]["net_sales_amount"] if key in totals else 0 for key in marts.months}
    parts: dict[tuple[str, str], dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in marts.rows["why_parts"]:
        parts[row["month_b"], row["month_a"]][row["kind"]].append(row)
    states = {
        f"{row['month_b']}|{row['compared_with']}": _why(marts, row, parts[row["month_b"], row["month_a"]])
        for row in marts.rows["why_steps"]
    }
    last_full = max((key[:4] for key in totals if key.endswith("-12")), default="")
    first = max([key for key in sales if key.startswith(last_full)], key=lambda key: sales[key])
    steps = [name(sub=2, head="Step"), name("bridge", 1), name("signed", 1, head="net sales")]

    def difference(id: str, head: str, subtitle: str) -> Block:
        show = [name(head=head), name("zero", 1), name("unit", 1, head="difference", plus=True)]
        return block(
            "table", id, 4, f"{head},difference", "tc", [], subtitle=subtitle, show=show, sql="why_parts", measure=_NET_SALES
        )  # fmt: skip

    return page(
        "Why?",
        "",
        [
            block(
                "columns", "months", 12, "month,net_sales_amount", "tc", list(map(list, sales.items())), subtitle="Net sales by month. Click a month, or use the arrow keys.",
                title="Net sales by month", quietTitle=True, press="month", money=True, height=150, named={}, sql="cube", measure=_NET_SALES,
            ),
            block(
                "bridge", "causes", 6, "step,net_sales_amount,detail", "tct", [], show=steps, sql="why_steps",
                how="A is the month compared with, B the chosen one; N orders, Q pieces, S net sales. Number of orders: (N_B - N_A) S_A / N_A."
                " Size of an order: N_B (Q_B / N_B - Q_A / N_A) S_A / Q_A. Price of a product: the pieces of B at the difference of the average"
                " price, over products sold in both. Mix of products: the rest, so that the steps add up to the cent.",
            ),
            block(
                "bridge", "behaviour", 6, "step,net_sales_amount,detail", "tct", [], show=steps, sql="why_steps",
                subtitle="The same difference, by what the customers did.",
                how="New: the first order ever that was kept is in the chosen month. Came back: ordered before, and not in the month compared with."
                " Ordered in both: the difference. Not in the chosen month: less what they had bought.",
            ),
            difference("line", "Product line", "Difference by product line."),
            difference("country", "Country", "Difference by country of the customer."),
            difference("customer", "Customer", "Difference by customer."),
        ],
        [
            {
                "key": "month", "label": "Month", "steps": True, "first": first,
                "values": [[key, month(key)] for key in marts.months],
            },
            {
                "key": "to", "toggle": True, "first": "month",
                "values": [["month", "against the month before"], ["year", "against a year before"]],
            },
        ],
        states=states,
        nothing={"title": "Nothing to compare this month with", "lede": "No order was kept in the one or the other month. Choose another month."},
    )  # fmt: skip


def _why(marts: Marts, row: Row, parts: dict[str, list[Row]]) -> Row:
    """One month against another, in words."""
    a, b = month(row["month_a"]), month(row["month_b"])
    short_a, short_b = (label if row["compared_with"] == "year" else label.split()[0] for label in (a, b))
    before, now = (int(rounded(row[side] * 100)) for side in ("sales_a", "sales_b"))
    orders_a, orders_b = row["orders_a"], row["orders_b"]
    difference, more = now - before, "more" if now > before else "less"
    steps = {step: row[f"{step}_amount"] for step in ("orders", "size", "price")}
    steps["mix"] = difference - sum(steps.values())
    causes = {
        "orders": ("more orders", "fewer orders"), "size": ("larger orders", "smaller orders"),
        "mix": ("dearer products", "cheaper products"), "price": ("higher prices", "lower prices"),
    }  # fmt: skip
    cause = max(steps, key=lambda step: steps[step] if difference > 0 else -steps[step])
    if abs(difference) < 0.03 * before:
        title = f"{b} sold about as much as {a}"
    else:
        because = f", because of {causes[cause][difference < 0]}" if abs(steps[cause]) >= abs(difference) / 2 else ""
        title = f"{b} sold {short(abs(difference))} {more} than {a}{because}"
    small = abs(steps["price"] + steps["mix"]) / (abs(difference) or 1)
    prices = (
        f"Prices and the mix of products make up less than {max(1, int(small * 100) + 1)}% of the difference. "
        if small < 0.05
        else f"Prices changed it by {short(steps['price'], True)}, the mix of products by {short(steps['mix'], True)}. "
    )
    brought = max((row["new_amount"], "new", "new {}"), (row["back_amount"], "back", "{} who came back"))
    people = ""
    if brought[0] > 0:
        number = row[f"{brought[1]}_count"]
        people = (
            f"{number} {brought[2].format('customers' if number > 1 else 'customer')} brought {short(brought[0])}. "
        )
    sizes = [rounded(row[f"pieces_{side}"] / row[f"orders_{side}"]) for side in "ab"]
    number = (
        f"{abs(orders_b - orders_a)} {'more' if orders_b > orders_a else 'fewer'} {'order' if abs(orders_b - orders_a) == 1 else 'orders'}"
        if orders_b != orders_a
        else "As many orders"
    )
    joint = "but" if (orders_b > orders_a) != (sizes[1] > sizes[0]) and orders_b != orders_a else "and"
    same_size = abs(sizes[1] - sizes[0]) < sizes[0] * 3 / 100
    sizes_said = (
        ""
        if same_size
        else f", {joint} {'larger' if sizes[1] > sizes[0] else 'smaller'}: {sizes[1]} pieces each instead of {sizes[0]}"
    )
    new, back, both, gone = (row[f"{kind}_count"] for kind in ("new", "back", "both", "gone"))

    def counted(number: int) -> str:
        return f"{number} {'customer' if number == 1 else 'customers'}"

    earlier = "earlier ones came back" if back else "no earlier one came back"
    blocks = [
        {"chosen": row["month_b"], "compared": row["month_a"]},
        {
            "title": f"{number}{sizes_said or ', of the same size'}", "subtitle": f"From {a} to {b}, step by step.",
            "rows": [
                [a, before, ""],
                ["Number of orders", steps["orders"], f"{orders_a} → {orders_b}, at {short(round(before / orders_a))} each"],
                ["Size of an order", steps["size"], f"{sizes[0]} → {sizes[1]} pieces"],
                ["Mix of products", steps["mix"], causes["mix"][steps["mix"] < 0]],
                ["Price of a product", steps["price"], "products sold in both months"],
                [b, now, ""],
            ],
        },
        {
            "title": f"{many(new, 'new customer') if new else 'No new customers'}; {earlier}",
            "rows": [
                [a, before, ""],
                ["New customers", row["new_amount"], f"{counted(new)}, first order ever"],
                ["Came back", row["back_amount"], f"{counted(back)}, none in {short_a}"],
                ["Ordered in both", row["both_amount"], counted(both)],
                [f"Not in {short_b}", row["gone_amount"], f"{counted(gone)} of {short_a}"],
                [b, now, ""],
            ],
        },
    ]  # fmt: skip
    for kind, one in (("line", "lines"), ("country", "countries"), ("customer", "customers")):
        rows = []
        for part in parts[kind]:
            label = (
                part["part_name"]
                if kind != "customer"
                else customer(marts, part | {"customer_number": part["part_name"]})
            )
            rows.append(
                [
                    label
                    if part["place"] < 9 or part["part_count"] == 1 and part["part_name"]
                    else f"{part['part_count']} others",
                    part["difference"],
                ]
            )
        total, rose = (sum(part[count] for part in parts[kind]) for count in ("part_count", "rose_count"))
        blocks.append({"title": _whose(rows, difference, before, one, rose, total), "rows": rows})
    return {
        "title": title,
        "lede": f"{many(orders_b, 'order')} instead of {orders_a}. {prices}{people}US dollars, cancelled orders left out.",
        "blocks": blocks,
    }  # fmt: skip


def _whose(rows: list[list[Any]], difference: int, before: int, what: str, rose: int, total: int) -> str:
    """The main cause of the difference. If its share is over 100 %, or the difference small: the greatest gain and loss."""
    named = [row for row in rows if not row[0].endswith(" others")]
    gain, loss = max(named, key=lambda row: row[1]), min(named, key=lambda row: row[1])
    first = gain if difference > 0 else loss
    share = first[1] / difference if difference else 0
    if abs(difference) < 0.03 * before or share > 1:
        pair = [f"{row[0]} {short(row[1], True)}" for row in (gain, loss) if row[1]]
        return f"Gained and lost: {', '.join(pair)}"
    if share < 0.25:
        return f"Spread over many {what}: the first brings {percent(share)}"
    return f"{first[0]}: {percent(share)} of it" + (f"; {rose} of {total} rose" if what == "lines" else "")


def products(marts: Marts) -> Page:
    goods, months = marts.rows["products"], marts.months
    sold = [row for row in goods if row["net_sales_amount"] > 0]
    unsold = [row["product_name"] for row in goods if row["net_sales_amount"] <= 0]
    by_month = monthly(marts.rows["product_months"], "product_code", months)
    cube = [row for row in marts.rows["cube"] if row["product_line"] and not row["country"]]
    by_line = sorted(monthly(cube, "product_line", months).items(), key=lambda item: -sum(item[1]))
    prices = {row["product_line"]: row for row in marts.rows["prices"]}
    top = max(prices.values(), key=lambda row: row["largest_quantity"])
    rates = {line: row["discount_amount"] / row["list_amount"] for line, row in prices.items() if row["list_amount"]}
    total = sum(row["net_sales_amount"] for row in goods) or 1
    since = len(months) - len(year_to_date(marts)[0])

    def twenty(id: str, title: str, chosen: list[Row]) -> Block:
        rows = [
            [row["product_name"], row["net_sales_amount"], by_month[row["product_code"]], row["product_code"]]
            for row in chosen
        ]
        return block(
            "table", id, 6, "product,net_sales_amount,by month,product_code", "tcst", rows, title=title,
            subtitle="Net sales of kept orders, all months; small: month by month, each product on its own scale.",
            show=[name(head="Product"), name("bar", 1), name("unit", 1, head="net sales"), name("spark", 2, head="by month", since=since)],
            sql="products", measure=_NET_SALES,
        )  # fmt: skip

    rows = [[line, *values, sum(values)] for line, values in by_line]
    rows.append(
        ["All", *(sum(column) for column in zip(*(values for _, values in by_line), strict=True)), total_of(by_line)]
    )
    show = [name(head="Product line"), *(name("tint", i + 1, head=_initial(key)) for i, key in enumerate(months))]
    peak = max(max(values) for _, values in by_line)
    for cell in show[1:]:
        cell.update({"as": "thousands", "max": peak})
    rest = [row for row in goods if row["recent_pieces"] > 0 and row["quantity_in_stock"] is not None]
    cover = stock_rows(rest)
    first = by_line[0]
    return page(
        f"{first[0]} bring {percent(sum(first[1]) / total)} of net sales; {sold[0]['product_name']} sells most",
        f"US dollars, orders that were not cancelled, {month(months[0])} to {month(months[-1])}.",
        [
            block(
                "heat", "months", 12, ",".join(["product line", *months, "all months"]), "t" + "c" * (len(months) + 1), rows,
                title=f"{MONTHS[int(months[rows[-1].index(max(rows[-1][1:-1])) - 1][5:]) - 1]} is the highest month in {'every line' if all(max(v) == v[rows[-1].index(max(rows[-1][1:-1])) - 1] for _, v in by_line) else 'most lines'}",
                subtitle="Net sales by product line and month, in thousands of dollars.",
                show=[*show, name("thousands", len(months) + 1, head="all")], sql="cube", measure=_NET_SALES,
            ),
            block(
                "table", "prices", 12, "product line,lowest,lower quartile,median,upper quartile,highest,average price,average quantity,largest quantity,discount",
                "tccccccnnp",
                [
                    [
                        line, *(prices[line][key] for key in ("lowest_price", "lower_quartile", "median_price", "upper_quartile", "highest_price", "average_price")),
                        prices[line]["average_quantity"], prices[line]["largest_quantity"], rates.get(line),
                    ]
                    for line, _ in by_line if line in prices
                ],
                title=f"Largest quantity: {top['largest_quantity']} pieces, {top['product_line']}; discounts hardly differ, {_range(rates)}",
                subtitle="Price of a piece: thin from lowest to highest, thick the middle half, tick the median. Pieces of an order line. Discount against the list price.",
                show=[
                    name(head="Product line"), name("strip", 1, of=[1, 2, 3, 4, 5], head="price of a piece"), name("price", 6, head="average price"), name("price", 5, head="highest", away=True),
                    name("decimals", 7, head="average quantity", away=True), name("count", 8, head="largest"), name("rate", 9, head="discount"),
                ],
                sql="prices", measure="fct_order_lines.unit_price",
            ),
            twenty("best", f"{sold[0]['product_name']} brings {percent(sold[0]['net_sales_amount'] / total)} of all", sold[:20]),
            twenty("worst", f"Never sold: {listed(unsold[:3])}" if unsold else f"{sold[-1]['product_name']} sells least", sold[:-21:-1]),
            stock_block("stock", 7, cover[:20]),
        ],
    )  # fmt: skip


def total_of(lines: Sequence[tuple[str, list[int]]]) -> int:
    return sum(sum(values) for _, values in lines)


def _initial(key: str) -> str:
    return f"{MONTHS[int(key[5:]) - 1][:3]} {key[2:4]}" if key.endswith("-01") else MONTHS[int(key[5:]) - 1][:1]


def _range(rates: dict[str, float]) -> str:
    return f"{rounded(min(rates.values()) * 100, 1)} to {rounded(max(rates.values()) * 100, 1)}%" if rates else ""


def stock_rows(goods: Sequence[Row]) -> list[list[Any]]:
    """Products sold in the last six months, the shortest stock first: name, weeks, pieces, whether these are few."""
    rows = []
    for row in goods:
        weeks = row["quantity_in_stock"] * 26 / row["recent_pieces"]
        rows.append([row["product_name"], weeks, row["quantity_in_stock"], weeks < FEW_WEEKS, row["product_code"]])
    return sorted(rows, key=lambda row: (row[1], row[0]))


def stock_block(id: str, span: int, rows: Sequence[list[Any]]) -> Block:
    title = (
        f"{rows[0][0]}: {many(rows[0][2], 'piece')} left, {rounded(rows[0][1], 1)} weeks" if rows else "No product sold"
    )
    return block(
        "table", id, span, "product,weeks,quantity_in_stock,few,product_code", "tnntt", rows, title=title,
        subtitle="Weeks the stock lasts at the pace of the last six months.",
        show=[name(head="Product"), name("bar", 1, hot=3), name("decimal", 1, head="weeks", hot=3), name("count", 2, head="pieces")],
        sql="products", measure="fct_stock_levels.quantity_in_stock", empty="No product sold in the last six months.",
    )  # fmt: skip


def countries(marts: Marts) -> Page:
    rows, months = marts.rows["places"], marts.months
    now, before, said = year_to_date(marts)

    def places(id: str, key: str, head: str, title: Callable[[list[list[Any]]], str], label: dict[Any, str]) -> Block:
        ranked = sorted(monthly(rows, key, months).items(), key=lambda item: (-sum(item[1]), str(item[0])))
        total, running, found = sum(sum(values) for _, values in ranked) or 1, 0, []
        for place, values in ranked:
            running += sum(values)
            year, last = (
                sum(v for k, v in zip(months, values, strict=True) if k in period) for period in (now, before)
            )
            found.append(
                [label.get(place, place), sum(values), sum(values) / total, running / total, values, year, last]
            )
        most = max(max(row[4]) for row in found)
        return block(
            "table", id, 12, f"{head},net_sales_amount,share,running share,by month,{said},the same months before", "tcppscc", found, title=title(found),
            subtitle=f"Net sales, all months; change of {said} on the year before; small: month by month, all on one scale.",
            show=[
                name(head=head), name("bar", 1), name("unit", 1, head="net sales"), name("percent", 2, head="share"), name("percent", 3, head="running", away=True),
                name("change", 5, j=6, head="change"), name("spark", 4, head="by month", away=True, max=most, since=len(months) - len(now)),
            ],
            sql="places", measure=_NET_SALES,
        )  # fmt: skip

    cities = {row["office_code"]: f"{row['office_code']} · {row['office_city']}" for row in rows}
    blocks = [
        places("countries", "country", "Country", lambda found: f"{listed([row[0] for row in found[:3]])} bring {percent(found[min(2, len(found) - 1)][3])} of net sales", {}),
        places("offices", "office_code", "Office", lambda found: f"{found[0][0].split(' · ')[-1]} sells most: {percent(found[0][2])} of net sales", cities),
    ]  # fmt: skip
    first = blocks[0]["rows"][0]
    return page(
        f"{first[0]} brings {percent(first[2])} of net sales; {len(blocks[0]['rows'])} countries buy",
        f"US dollars, orders that were not cancelled, {month(months[0])} to {month(months[-1])}. Countries are the customers', offices those of their sales representatives.",
        blocks,
    )


def team(marts: Marts) -> Page:
    months, staff = marts.months, {row["employee_number"]: row for row in marts.rows["staff"]}
    now, before, said = year_to_date(marts)
    sales = monthly(marts.rows["reps"], "employee_number", months)
    orders: dict[Any, list[int]] = defaultdict(lambda: [0] * len(months))
    for row in marts.rows["reps"]:
        orders[row["employee_number"]][months.index(row["order_month"])] += row["order_count"]
    marks: dict[Any, set[int]] = defaultdict(set)
    for row in marts.rows["handovers"]:
        for number in (row["employee_number"], row["employee_number_before"]):
            if row["order_month"] in months:
                marks[number].add(months.index(row["order_month"]))
    teams: dict[Any, set[Any]] = defaultdict(set)
    for row in marts.rows["staff"]:
        if row["team_member"] in sales:
            teams[row["employee_number"]].add(row["team_member"])
    last_year = [key for key in months if key.startswith(before[0][:4])]

    def label(number: int | None) -> str:
        if number not in staff:
            return "no representative"
        who = staff[number]["full_name"] if marts.shows_names else number
        return f"{who} · {staff[number]['job_title'] if number in teams else staff[number]['office_city']}"

    def line(number: int | None, members: Iterable[int | None]) -> list[Any]:
        people = list(members)
        values = [sum(column) for column in zip(*(sales[who] for who in people), strict=True)] or [0] * len(months)
        counts = [sum(column) for column in zip(*(orders[who] for who in people), strict=True)] or [0] * len(months)
        year, last, whole, of_year = (
            sum(v for k, v in zip(months, series, strict=True) if k in period)
            for series, period in ((values, now), (values, before), (values, last_year), (counts, now))
        )
        customers = sum(staff[who]["customer_count"] for who in people if who in staff)
        handed = sorted(set().union(*(marks[who] for who in people)))
        return [
            label(number),
            values,
            year,
            last,
            whole,
            of_year,
            customers,
            round(year / of_year) if of_year else None,
            handed,
        ]

    def people(id: str, head: str, rows: list[list[Any]], title: str, **more: Any) -> Block:
        return block(
            "table", id, 12, f"{head},by month,{said},the same months before,{before[0][:4]},orders,customers,average order,handovers", "tscccnnct", rows,
            title=title, subtitle=f"Net sales of {said} and the same months before; orders and their average in {said}; customers now. A stroke: customers were handed over.",
            show=[
                name(head=head), name("spark", 1, head="by month", away=True, marks=8, since=len(months) - len(now)), name("bar", 2, j=3), name("unit", 2, head=said), name("change", 2, j=3, head="change"),
                name("unit", 4, head=before[0][:4], away=True), name("count", 5, head="orders"), name("count", 6, head="customers", away=True), name("unit", 7, head="average", away=True),
            ],
            sql="reps", measure="fct_orders.net_sales_amount", **more,
        )  # fmt: skip

    leaders = sorted(teams, key=lambda who: (-len(teams[who]), who))[:12]
    managers = sorted((line(number, teams[number]) for number in leaders), key=lambda row: -row[2])
    reps = {number: line(number, [number]) for number in sales}
    ranked = sorted(reps, key=lambda number: -reps[number][2])
    rows = with_others([reps[number] for number in ranked], 30, (2, 3, 4, 5, 6))
    states: dict[str, Row] = {"": {"blocks": [{}, {"rows": rows}]}}
    for number in leaders:
        members = teams[number]
        own = with_others([reps[who] for who in ranked if who in members], 12, (2, 3, 4, 5, 6))
        states[label(number)] = {
            "blocks": [{}, {"rows": own, "title": f"{label(number)}: {many(len(members), 'representative')}"}]
        }
    rose = sum(1 for row in reps.values() if row[2] > row[3])
    return page(
        f"{rose} of {len(reps)} representatives sold more than the year before; {rows[0][0]} most",
        f"US dollars, orders that were not cancelled, by the representative of the customer on the day of the order. {said} against the same months before.",
        [
            people("managers", "Manager", managers, "Teams, all who report to a manager at any depth", press="manager"),
            people(
                "reps", "Representative", rows, f"{rows[0][0]}: {short(rows[0][2])}, {change(rows[0][2], rows[0][3])}"
            ),
        ],
        [
            {
                "key": "manager",
                "label": "Manager",
                "values": [[row[0], row[0]] for row in managers],
                "first": "",
                "all": True,
            }
        ],
        states=states,
    )


def customers(marts: Marts) -> Page:
    rows, aging = marts.rows["owed"], {row["age"]: row for row in marts.rows["aging"]}
    owing = [row for row in rows if row["outstanding_amount"] > 0]
    owed = sum(row["outstanding_amount"] for row in owing)
    over = [row for row in owing if row["is_over_limit"]]
    over_by = sum(row["outstanding_amount"] - row["credit_limit"] for row in over)
    ordered = [row for row in rows if row["order_count"]]
    once = sum(1 for row in ordered if row["order_count"] == 1)
    most = sorted((row["order_count"] for row in ordered), reverse=True)[:2]
    ages = ("up to 30", "31 to 60", "61 to 90", "more than 90")
    old = aging.get(ages[3])
    by_month = [[row["order_month"], row["outstanding_amount"]] for row in marts.rows["owed_by_month"]]
    last = by_month[-2][1] if len(by_month) > 1 else 0
    young = sum(aging[age]["owed_amount"] for age in ages[:2] if age in aging)
    table = [
        [customer(marts, row), row["outstanding_amount"], row["credit_limit"], row["outstanding_amount"] / row["credit_limit"] if row["credit_limit"] else None, row["is_over_limit"]]
        for row in owing
    ]  # fmt: skip
    held = sum(1 for row in over if row["on_hold_count"])
    holds = (
        f", {f'all {spelled(held)}' if held == len(over) > 1 else spelled(held)} with an order on hold" if held else ""
    )
    high = max(by_month, key=lambda row: row[1])
    one = (
        f"one order: {old['order_number']}, {old['order_status'].lower()}"
        if old and old["order_count"] == 1
        else many(old["order_count"], "order")
        if old
        else "none"
    )
    return page(
        f"Customers owe {short(owed)}; {percent(young / owed) if owed else '0%'} of it is at most 60 days old",
        "US dollars: ordered and not cancelled, less all payments received. Payments are not tied to orders; they are taken to settle the oldest order first.",
        [
            kpis(
                kpi("Owed in all", short(owed), owed, f"{change(owed, last)} from {short(last)} at the end of {month(by_month[-2][0]).split()[0]}" if last else ""),
                kpi("Customers who owe", str(len(owing)), len(owing), f"of {len(ordered)} who ever ordered"),
                kpi("Over their limit", str(len(over)), len(over), f"by {short(over_by)} together" if over else "none"),
                kpi("Older than 90 days", short(old["owed_amount"] if old else 0), old["owed_amount"] if old else 0, one),
                kpi("Bought once only", str(once), once, f"of {len(ordered)} customers; the most bought {' and '.join(map(str, reversed(most)))} times"),
            ),
            block(
                "table", "owed", 7, "customer,outstanding_amount,credit_limit,used,over", "tccpt", with_others(table, 12, (1,)), tall=True,
                title=f"{spelled(len(over)).capitalize()} of {len(owing)} {'is' if len(over) == 1 else 'are'} over {'its' if len(over) == 1 else 'their'} limit{holds}" if over else "Nobody is over the limit",
                subtitle="Owed by customer. Tick: credit limit, where it is near enough to show.",
                show=[name(head="Customer"), name("bar", 1, j=2, cap=1, hot=4), name("unit", 1, head="owed"), name("unit", 2, head="limit"), name("percent", 3, head="used", hot=4)],
                sql="owed", measure=_OWED, empty="Nobody owes anything.",
            ),
            block(
                "table", "age", 5, "days since the order,owed_amount,share,old", "tcpt",
                [[age, aging[age]["owed_amount"] if age in aging else 0, aging[age]["owed_amount"] / owed if age in aging else 0, age == ages[3]] for age in ages],
                title=_old_debt(old),
                subtitle=f"Owed by age of the order, at {day(marts.data_day)}.",
                show=[name(head="Days since the order"), name("bar", 1, hot=3), name("usd", 1, head="owed"), name("percent", 2, head="share")],
                sql="aging", how="What a customer owes lies on the newest orders: payments are taken to settle the oldest order first. Age counts from the day of the order.",
            ),
            block(
                "lines", "owed-months", 5, "month end,outstanding_amount", "tc", by_month, title=f"Highest at the end of {month(high[0])}: {short(high[1])}",
                subtitle="Owed at each month end.", labels=[row[0][:4] if row[0].endswith("-01") else "" for row in by_month],
                series=[{"name": "", "kind": "now", "values": [row[1] for row in by_month]}], height=180, sql="owed_by_month", measure=_OWED,
            ),
            cohorts(marts),
            baskets(marts),
        ],
    )  # fmt: skip


def _old_debt(old: Row | None) -> str:
    if not old:
        return "No debt is older than 90 days"
    if old["order_count"] > 1:
        return f"{many(old['order_count'], 'order')} older than 90 days: {short(old['owed_amount'])}"
    return f"One old debt: ${rounded(old['owed_amount'] / 100):,}, ordered in {month(str(old['order_date'])[:7])}"


def cohorts(marts: Marts) -> Block:
    sizes: dict[int, dict[int, int]] = defaultdict(dict)
    for row in marts.rows["cohorts"]:
        sizes[row["first_quarter"]][row["quarters_since"]] = row["customer_count"]
    latest = max(first + max(since) for first, since in sizes.items())
    shown = sorted(sizes)[-12:]
    width = max(latest - first for first in shown)

    def quarter(number: int) -> str:
        return f"{number // 4} Q{number % 4 + 1}"

    rows: list[list[Any]] = [
        [quarter(first), sizes[first][0], 1.0, *(sizes[first].get(i, 0) / sizes[first][0] if first + i <= latest else None for i in range(1, width + 1))]
        for first in shown
    ]  # fmt: skip
    best = max(((value, row[0], i) for row in rows for i, value in enumerate(row[3:], 1) if value), default=(0, "", 0))
    sizes_of = next((row[1] for row in rows if row[0] == best[1]), 0)
    where = next((quarter(first + best[2]) for first in shown if quarter(first) == best[1]), "")
    return block(
        "heat", "cohorts", 12, ",".join(["first order", "customers", "first", *(f"+{i}" for i in range(1, width + 1))]), "tn" + "p" * (width + 1), rows,
        title=f"{f'All {sizes_of}' if best[0] == 1 else percent(best[0]) + ' of the'} customers of {best[1]} ordered again in {where}" if best[1] else "Nobody has ordered twice",
        subtitle="Share of customers who ordered, by quarter of their first order (rows) and quarters since (columns).",
        show=[name(head="First order"), name("count", 1, head="customers"), name("percent", 2, head="first"), *(name("tint", i + 2, head=f"+{i}", max=1) for i in range(1, width + 1))],
        sql="cohorts", how="A customer belongs to the quarter of the first order that was kept; a cell is the share of them with a kept order that many quarters later.",
    )  # fmt: skip


def baskets(marts: Marts) -> Block:
    pairs = {(row["first_line"], row["second_line"]): row["order_count"] for row in marts.rows["baskets"]}
    lines = sorted({first for first, _ in pairs}, key=lambda line: -pairs[line, line])
    rows = [
        [
            line,
            pairs[line, line],
            *(pairs.get((line, other), 0) / pairs[line, line] if other != line else None for other in lines),
        ]
        for line in lines
    ]
    best = max(
        ((count, first, second) for (first, second), count in pairs.items() if first < second), default=(0, "", "")
    )
    return block(
        "heat", "baskets", 12, ",".join(["product line", "orders", *lines]), "tn" + "p" * len(lines), rows,
        title=f"{best[1]} and {best[2]}: together in {best[0]} orders" if best[0] else "No order has two product lines",
        subtitle="Share of the orders with a line (rows) that also have another (columns).",
        show=[name(head="Product line"), name("count", 1, head="orders"), *(name("tint", i, head=line, max=1) for i, line in enumerate(lines, 2))],
        sql="baskets", how="An order counts once in each row of a product line it has.",
    )  # fmt: skip


def finance(marts: Marts) -> Page:
    months, now = marts.rows["finance"], marts.rows["days_of_sales"][0]
    why = {row["reason"]: row for row in marts.rows["adjustments"]}
    days, last = now["days_sales_outstanding"], months[-1]
    closed = [row for row in months if row["reported_amount"] is not None]
    reported, adjusted = (sum(row[key] for row in closed) for key in ("reported_amount", "adjustment_amount"))
    changed = sum(row["order_count"] for row in why.values())
    says = (
        f"{many(changed, 'order')} of closed months changed since: {short(sum(row['adjustment_amount'] for row in why.values()), True)}"
        if changed
        else "no closed month has changed since it was reported"
    )
    rated = [
        (row["days_sales_outstanding"], row["order_month"])
        for row in months
        if row["days_sales_outstanding"] is not None
    ]
    high = max(rated, default=None)
    before = (
        f"{last['days_sales_outstanding']} at the end of {month(last['order_month'])}"
        if last["days_sales_outstanding"] is not None
        else ""
    )
    table = [
        [month(row["order_month"]), *(row[key] for key in ("reported_amount", "adjustment_amount", "net_sales_amount", "outstanding_amount")), row["days_sales_outstanding"]]
        for row in reversed(months)
    ]  # fmt: skip
    return page(
        f"Customers owe {days} days of sales; {says}" if days is not None else says[0].upper() + says[1:],
        f"US dollars, orders that were not cancelled, by order date. Days of sales outstanding at {day(marts.data_day)}: what is owed, over the net sales of the 90 days before, times 90.",
        [
            kpis(
                kpi("Days of sales outstanding", "–" if days is None else str(days), days, before),
                kpi("Owed in all", short(now["outstanding_amount"] or 0), now["outstanding_amount"] or 0, f"at {day(marts.data_day)}"),
                kpi("Net sales of 90 days", short(now["net_sales_amount"] or 0), now["net_sales_amount"] or 0, f"to {day(marts.data_day)}"),
                kpi("Reported", short(reported), reported, f"{many(len(closed), 'closed month')} as first reported"),
                kpi("Adjusted since", short(adjusted, True), adjusted, f"{many(changed, 'order')} changed", bool(changed)),
            ),
            block(
                "lines", "days", 7, "month,days_sales_outstanding,outstanding_amount", "tpe",
                [[row["order_month"], row["days_sales_outstanding"], row["outstanding_amount"]] for row in months],
                title=f"Highest at the end of {month(high[1])}: {high[0]} days" if high else "No days of sales yet", subtitle="Days of sales outstanding at each month end.",
                labels=[row["order_month"][:4] if row["order_month"].endswith("-01") else "" for row in months], plain=True, height=230,
                series=[{"name": "", "kind": "now", "values": [row["days_sales_outstanding"] or 0 for row in months]}], sql="finance", measure="metrics_by_month.days_sales_outstanding",
            ),
            block(
                "table", "reasons", 5, "reason,orders,adjustment_amount", "tnc",
                [[reason, *((why[reason]["order_count"], why[reason]["adjustment_amount"]) if reason in why else (0, 0))] for reason in REASONS],
                title=f"Most of it: {max(why.values(), key=lambda row: abs(row['adjustment_amount']))['reason']}" if why else "No order of a closed month is another today",
                subtitle="What became of orders after the landing that closed their month.",
                show=[name(head="Reason"), name("zero", 2), name("count", 1, head="orders"), name("signed", 2, head="adjusted by")],
                sql="adjustments", measure="fct_sales_adjustments.reason",
            ),
            block(
                "table", "closed", 12, "month,reported_amount,adjustment_amount,net_sales_amount,outstanding_amount,days_sales_outstanding", "tcccep", table, top=12,
                title=f"Reported {short(reported)}, today {short(reported + adjusted)}",
                subtitle="Net sales by month as the landing that closed it showed them, and today; owed at the month's end. What was reported before the first landing is not known: such months show what that landing found.",
                show=[
                    name(head="Month"), name("bar", 3), name("unit", 1, head="reported"), name("signed", 2, head="adjusted by"), name("unit", 3, head="today"),
                    name("unit", 4, head="owed", away=True), name("decimals", 5, head="days of sales", away=True),
                ],
                sql="finance", measure="fct_closed_months.reported_amount",
            ),
        ],
    )  # fmt: skip


def explore(marts: Marts) -> Page:
    """The sums of each value and each pair of values; explore.js computes and words the measure that is chosen."""
    offered = ("order_month", "order_quarter", "order_year", "product_line", "country", "territory", "office", "representative", "status")  # fmt: skip
    labels = {"order_month": "month", "order_quarter": "quarter", "order_year": "year", "product_line": "product line"}
    sums = ("net_sales_amount", "gross_sales_amount", "margin_amount", "quantity_ordered", "order_count", "shipped_count", "late_count")  # fmt: skip
    rows = marts.rows["explore"]
    values = {column: sorted({row[column] for row in rows if row[column] is not None}) for column in offered}
    values = {column: found for column, found in values.items() if len(found) <= MOST_VALUES}
    places = {column: {value: i for i, value in enumerate(found)} for column, found in values.items()}
    cells: dict[str, list[list[Any]]] = defaultdict(list)
    for row in rows:
        of = [column for column in offered if row[column] is not None]
        if all(column in values for column in of):
            first, second = (list(values).index(column) for column in (of[0], of[-1]))
            where = [places[column][row[column]] for column in (of[0], of[-1])]
            cells[f"{first} {second}"].append([*where, *(row[key] or 0 for key in sums)])
    named = {labels.get(column, column): found for column, found in values.items()}
    choices = [[key, key] for key in named]
    measures = ("net sales", "booked sales", "margin", "margin rate", "orders", "average order", "pieces", "average price", "late share")  # fmt: skip
    return page(
        "Explore",
        f"{month(marts.months[0])} to {month(marts.months[-1])}, by order date; US dollars. All but booked sales leave cancelled orders out. Territory and office are those of the sales representative.",
        [
            block(
                "vega", "explore", 12, "", "", [], sql="explore", subtitle="Lines: click a name to see it alone. Table and CSV have every value to the cent.",
                how="Each pair of attributes is summed in SQL, so an order of two product lines counts once in each and once in all. Margin leaves out pieces whose cost is not known."
                f" What is not offered here is in orders_obt, which the notebook and any tool reads: vendor, scale, customer, and what has more than {MOST_VALUES} values.",
            ),
        ],
        [
            {"key": "measure", "label": "Measure", "first": "net sales", "values": [[key, key] for key in measures]},
            {"key": "by", "label": "by", "first": "country", "values": choices},
            {"key": "and", "label": "and", "first": "year", "values": choices},
            {"key": "as", "toggle": True, "first": "heat", "values": [["heat", "heat map"], ["lines", "lines"]]},
        ],
        values=named, cells=cells, sums=sums,
    )  # fmt: skip


def live(marts: Marts) -> Page:
    orders = marts.rows["open_orders"]
    overdue = [
        row for row in orders if not row["is_shipped"] and row["days_overdue"] is not None and row["days_overdue"] > 0
    ]
    hold, disputed = ([row for row in orders if row["order_status"] == status] for status in ("On Hold", "Disputed"))
    over = [row for row in marts.rows["owed"] if row["is_over_limit"]]
    goods = [row for row in marts.rows["products"] if row["recent_pieces"] > 0 and row["quantity_in_stock"] is not None]
    stock = stock_rows(goods)
    few = [row for row in stock if row[3]]
    over_by = sum(row["outstanding_amount"] - row["credit_limit"] for row in over)

    def tile(called: str, rows: Sequence[Any], said: str) -> Row:
        return kpi(called, str(len(rows)), len(rows), said if rows else "nothing to do", bool(rows))

    def amount(rows: list[Row]) -> str:
        return short(sum(row["net_sales_amount"] for row in rows))

    due = [
        [
            str(row["order_number"]), customer(marts, row), row["order_status"], row["days_overdue"] if not row["is_shipped"] else None,
            "shipped" if row["is_shipped"] else "" if row["days_overdue"] is None else str(row["days_overdue"]) if row["days_overdue"] > 0 else f"in {-row['days_overdue']}",
            row["net_sales_amount"], row in overdue,
        ]
        for row in orders
    ]  # fmt: skip
    findings = [
        *([f"{len(overdue)} {'order is' if len(overdue) == 1 else 'orders are'} overdue"] if overdue else []),
        *([f"{many(len(over), 'customer')} over {'its' if len(over) == 1 else 'their'} limit"] if over else []),
        *([f"{many(len(few), 'product')} running out within four weeks"] if few else []),
    ]
    all_held = len(over) > 1 and all(row["on_hold_count"] for row in over)
    late_title = f"Order {overdue[0]['order_number']} is {overdue[0]['days_overdue']} days overdue; {len(overdue)} of {many(len(orders), 'open order')} {'is' if len(overdue) == 1 else 'are'} overdue"
    return page(
        ", ".join(findings) or "Nothing to do",
        "",
        [
            kpis(
                tile("Overdue orders", overdue, "required day past, not shipped"), tile("On hold", hold, f"{amount(hold)} waiting"), tile("Disputed", disputed, amount(disputed)),
                tile("Over the credit limit", over, f"by {short(over_by)}"), tile("Stock under four weeks", few, f"of {sum(1 for row in marts.rows['products'] if row['net_sales_amount'] > 0)} products that sold"),
            ),
            block(
                "table", "orders", 7, "order,customer,status,days overdue,due,net_sales_amount,overdue", "tttntct", due[:20], tall=True,
                title=late_title if overdue else "No open order is overdue", subtitle=f"Open orders, the most overdue first{f': 20 of {len(due):,}' if len(due) > 20 else ''}.",
                show=[name(head="Order"), name("text", 1, head="Customer"), name("text", 2, head="Status"), name("bar", 3, hot=6), name("due", 4, head="days overdue", hot=6), name("usd", 5, head="amount")],
                sql="open_orders", measure="fct_orders.is_open", empty="No order is open.",
            ),
            stock_block("stock", 5, stock[:6]),
            block(
                "table", "limits", 5, "customer,outstanding_amount,credit_limit,over by,over", "tccct",
                [[customer(marts, row), row["outstanding_amount"], row["credit_limit"], row["outstanding_amount"] - row["credit_limit"], True] for row in over[:10]],
                title=f"All {spelled(len(over))} over the limit have an order on hold" if all_held else f"{many(len(over), 'customer')} over the limit".capitalize(), subtitle=f"Owed against the credit limit{': the 10 who owe most' if len(over) > 10 else ''}.",
                show=[name(head="Customer"), name("usd", 1, head="owed"), name("usd", 2, head="limit"), name("usd", 3, head="over by", hot=4)],
                sql="owed", measure="fct_customer_balances.is_over_limit", empty="Nobody is over the limit.",
            ),
        ],
        watch={"day": day(marts.data_day)},
    )  # fmt: skip


PAGES: dict[str, Callable[[Marts], Page]] = {
    "overview": overview, "products": products, "countries": countries, "team": team, "why": why, "customers": customers, "finance": finance, "explore": explore, "live": live,
}  # fmt: skip
