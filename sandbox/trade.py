"""Play a day of trade on the classicmodels tables, so that everything incremental can be seen working.

The day  new orders, status changes (some on orders months old), shipments, prices, stock going down by what was sold,
         credit limits, a rep handing over accounts, payments, corrected quantities, and deletions.
Size     about one order in a hundred, and a few rows at least.
Same     the seed, the day and the data found decide; nothing is remembered outside the eight tables.
Late     order 10000 is dated November 2004, arrives months later, is deleted on another day and comes back identical.
Counts   everything is read before anything is written, and no row is written twice, so the counts are exact.
"""

from __future__ import annotations

import datetime
from collections import defaultdict
from decimal import Decimal
from itertools import islice
from random import Random
from typing import TYPE_CHECKING, Any

from pymysql.cursors import Cursor

from sandbox.generate import COMMENTS, customer_row

if TYPE_CHECKING:
    from pymysql.connections import Connection

Counts = dict[str, dict[str, int]]

# In an order that no foreign key minds.
WRITES = (
    ("orderdetails", "deleted", "delete from orderdetails where orderNumber = %s and productCode = %s"),
    ("orders", "deleted", "delete from orders where orderNumber = %s"),
    ("payments", "deleted", "delete from payments where customerNumber = %s and checkNumber = %s"),
    ("customers", "deleted", "delete from customers where customerNumber = %s"),
    ("customers", "inserted", f"insert into customers values ({', '.join(['%s'] * 13)})"),
    ("orders", "inserted", "insert into orders values (%s, %s, %s, %s, %s, %s, %s)"),
    ("orderdetails", "inserted", "insert into orderdetails values (%s, %s, %s, %s, %s)"),
    ("payments", "inserted", "insert into payments values (%s, %s, %s, %s)"),
    (
        "orders",
        "updated",
        (
            "update orders set status = %s, shippedDate = coalesce(%s, shippedDate), comments = coalesce(%s, comments)"
            " where orderNumber = %s"
        ),
    ),
    (
        "orderdetails",
        "updated",
        "update orderdetails set quantityOrdered = %s where orderNumber = %s and productCode = %s",
    ),
    (
        "products",
        "updated",
        "update products set quantityInStock = %s, buyPrice = %s, MSRP = %s where productCode = %s",
    ),
    (
        "customers",
        "updated",
        "update customers set salesRepEmployeeNumber = %s, creditLimit = %s where customerNumber = %s",
    ),
)

LATE_ORDER = 10_000
LATE_ORDER_DATES = (datetime.date(2004, 11, 15), datetime.date(2004, 11, 24), datetime.date(2004, 11, 19))
LATE_ORDER_LINES = 3  # of the first products, whose prices trade never changes: so it can come back identical


def trade(connection: Connection[Any], day: datetime.date, seed: int = 1) -> Counts:
    """Play one day in one transaction; return how many rows of every table it inserted, updated and deleted.

    A row counts if its content at the end of the day differs from the start. After an error nothing has happened.
    """
    connection.begin()
    try:
        with connection.cursor(Cursor) as cursor:
            plan = _Day(cursor, day, seed)
            for table, kind, statement in WRITES:
                rows = plan.writes[table, kind]
                cursor.executemany(statement, rows)
                plan.counts[table][kind] = len(rows)
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
    return plan.counts


def day_after_the_last_order(connection: Connection[Any]) -> datetime.date:
    """Where trade goes on, however old the data are; an order dated in the future is none to go on from."""
    with connection.cursor(Cursor) as cursor:
        cursor.execute("select max(orderDate) from orders where orderDate < current_date")
        ((last,),) = cursor.fetchall()
    return last + datetime.timedelta(1) if last else datetime.date.today()


class _Day:
    """Reads the tables and decides what to write; writes nothing."""

    def __init__(self, cursor: Cursor, day: datetime.date, seed: int) -> None:
        self.cursor = cursor
        self.day = day
        self.seed = seed
        self.rnd = Random(f"{seed}/{day}").random
        self.writes: dict[tuple[str, str], list[Any]] = defaultdict(list)
        tables = self.read(
            "select table_name from information_schema.tables"
            " where table_schema = database() and table_type = 'BASE TABLE' order by table_name"
        )
        self.counts = {table: {"inserted": 0, "updated": 0, "deleted": 0} for (table,) in tables}

        ((orders, self.last_order),) = self.read("select count(*), max(orderNumber) from orders")
        ((self.first_customer, self.last_customer),) = self.read(
            "select min(customerNumber), max(customerNumber) from customers"
        )
        self.many = max(3, orders // 100)
        self.some = max(1, self.many // 3)
        self.few = max(1, self.many // 10)

        self.existing_orders()
        buyers = self.customers()
        self.sales(buyers)
        self.payments()
        self.late_order()

    def read(self, sql: str, *args: Any) -> list[Any]:
        self.cursor.execute(sql, args)
        return list(self.cursor.fetchall())

    def pick(self, count: int, key: str, sql: str, *args: Any) -> list[Any]:
        """That many rows of the query, chosen by a hash of their key, the day and the seed."""
        salt = f"{self.seed}/{self.day}/{sql}"
        return self.read(f"{sql} order by md5(concat_ws('/', %s, {key})) limit %s", *args, salt, count)

    def at_times(self, count: int) -> int:
        return count if self.rnd() < 0.4 else 0

    def below(self, limit: int) -> int:
        return int(self.rnd() * limit)

    def existing_orders(self) -> None:
        def pick(status: str, *sizes: int) -> list[list[int]]:
            rows = self.pick(
                sum(sizes),
                "orderNumber",
                "select orderNumber from orders where status = %s and orderDate <= %s and orderNumber <> %s",
                *(status, self.day, LATE_ORDER),
            )
            numbers = iter([number for (number,) in rows])
            return [list(islice(numbers, size)) for size in sizes]

        held, withdrawn, sent = pick("In Process", self.few, self.at_times(self.few), self.many)
        released, given_up = pick("On Hold", self.few, self.at_times(self.few))
        (settled,) = pick("Disputed", self.some)
        disputed, sent_back, dropped, corrected, shortened = pick(
            "Shipped", self.some, self.at_times(self.few), self.at_times(self.few), self.many, self.some
        )
        for orders, status in (
            (held, "On Hold"),
            (withdrawn, "Cancelled"),
            (sent, "Shipped"),
            (released, "In Process"),
            (given_up, "Cancelled"),
            (settled, "Resolved"),
            (disputed, "Disputed"),
            (sent_back, "Cancelled"),
        ):
            shipped = self.day if orders is sent else None
            self.writes["orders", "updated"] += [(status, shipped, COMMENTS.get(status), order) for order in orders]

        lines = self.lines([*dropped, *corrected, *shortened])
        for order in corrected:
            for _, code, quantity in self.one_of(lines[order]):
                change = 1 + self.below(5)
                new_quantity = quantity - change if quantity > 10 and self.rnd() < 0.5 else quantity + change
                self.writes["orderdetails", "updated"].append((new_quantity, order, code))
        for order in shortened:
            if len(lines[order]) > 1:
                self.delete_lines(self.one_of(lines[order]))
        for order in dropped:
            self.delete_order(order, lines[order])

    def lines(self, orders: list[int]) -> dict[int, list[Any]]:
        """Order number, product code and quantity of the lines of these orders, by order."""
        lines = defaultdict(list)
        for line in self.read(
            "select orderNumber, productCode, quantityOrdered from orderdetails where orderNumber in %s"
            " order by orderNumber, productCode",
            orders or [0],
        ):
            lines[line[0]].append(line)
        return lines

    def one_of(self, rows: list[Any]) -> list[Any]:
        """One row as a list; an empty one if there is none."""
        return rows and [rows[self.below(len(rows))]]

    def delete_lines(self, lines: list[Any]) -> None:
        self.writes["orderdetails", "deleted"] += [(order, code) for order, code, _ in lines]

    def delete_order(self, order: int, lines: list[Any]) -> None:
        self.delete_lines(lines)
        self.writes["orders", "deleted"].append((order,))

    def customers(self) -> list[int]:
        """Customers come, change and go; return those who order today."""
        # The first one may get the late order back; the last one's number would be given to another customer.
        gone = self.pick(
            self.at_times(self.few),
            "customerNumber",
            "select customerNumber from customers where customerNumber not in (%s, %s)"
            " and customerNumber not in (select customerNumber from orders)"
            " and customerNumber not in (select customerNumber from payments)",
            *(self.first_customer, self.last_customer),
        )
        self.writes["customers", "deleted"] = gone
        staying = "from customers where customerNumber not in %s"
        leaving = [0, *(number for (number,) in gone)]

        account = f"select customerNumber, salesRepEmployeeNumber, creditLimit {staying}"
        changed: dict[int, list[Any]] = {}
        for number, rep, limit in self.pick(self.some, "customerNumber", f"{account} and creditLimit > 0", leaving):
            step = 1_000 * (1 + self.below(20))
            changed[number] = [rep, limit - step if limit > 40_000 and self.rnd() < 0.5 else limit + step]

        reps = self.read("select employeeNumber from employees where jobTitle = 'Sales Rep' order by employeeNumber")
        for (giver,) in self.pick(
            1,
            "employeeNumber",
            "select employeeNumber from employees"
            " where employeeNumber in (select salesRepEmployeeNumber from customers)",
        ):
            accounts = self.pick(
                1 + self.below(3), "customerNumber", f"{account} and salesRepEmployeeNumber = %s", leaving, giver
            )
            for successor in self.one_of([rep for (rep,) in reps if rep != giver]):
                for number, rep, limit in accounts:
                    changed.setdefault(number, [rep, limit])[0] = successor
        self.writes["customers", "updated"] = [(rep, limit, number) for number, (rep, limit) in changed.items()]

        buyers = []
        for number in range(self.last_customer + 1, self.last_customer + 1 + self.at_times(self.few)):
            for (rep,) in self.one_of(reps):
                row = customer_row(number, number, rep, 100 * (200 + self.below(1_000)), self.rnd)
                self.writes["customers", "inserted"].append(row)
                buyers.append(number)
        old = self.pick(
            self.many - len(buyers),
            "customerNumber",
            f"select customerNumber {staying} and salesRepEmployeeNumber is not null",
            leaving,
        )
        return buyers + [number for (number,) in old]

    def sales(self, buyers: list[int]) -> None:
        """New orders; stock and prices."""
        products = self.read("select productCode, quantityInStock, buyPrice, MSRP from products order by productCode")
        stock = {code: quantity for code, quantity, _, _ in products}
        for order, buyer in enumerate(buyers, self.last_order + 1):
            required = self.day + datetime.timedelta(6 + self.below(7))
            self.writes["orders", "inserted"].append((order, self.day, required, None, "In Process", None, buyer))
            picked = dict.fromkeys(self.below(len(products)) for _ in range(1 + self.below(18)))
            for line, index in enumerate(picked, 1):
                code, _, _, list_price = products[index]
                quantity = 20 + self.below(31)
                price = _cents(list_price * (75 + self.below(26)) / 100)
                self.writes["orderdetails", "inserted"].append((order, code, quantity, price, line))
                if stock[code] < quantity:  # a delivery comes in; the column is a smallint
                    stock[code] += 7_000
                stock[code] -= quantity

        first = LATE_ORDER_LINES
        repriced = {first + self.below(len(products) - first) for _ in range(max(1, len(products) // 100))}
        for index, (code, old_stock, buy_price, list_price) in enumerate(products):
            factor = Decimal(94 + self.below(6) if self.rnd() < 0.5 else 101 + self.below(6)) / 100
            old = (old_stock, buy_price, list_price)
            new = (stock[code], buy_price, list_price)
            if index in repriced:
                new = (stock[code], _cents(buy_price * factor), _cents(list_price * factor))
            if new != old:
                self.writes["products", "updated"].append((*new, code))

    def payments(self) -> None:
        prefix = f"DAY{self.day:%y%m%d}"
        ((last_check,),) = self.read("select max(checkNumber) from payments where checkNumber like %s", f"{prefix}%")
        next_check = int(last_check[len(prefix) :]) + 1 if last_check else 1
        payers = self.pick(
            self.many,
            "customerNumber",
            "select customerNumber from customers where customerNumber in (select customerNumber from orders)",
        )
        for check, (payer,) in enumerate(payers, next_check):
            amount = Decimal(50_000 + self.below(4_000_000)) / 100
            self.writes["payments", "inserted"].append((payer, f"{prefix}{check:06d}", self.day, amount))
        self.writes["payments", "deleted"] = self.pick(
            self.at_times(self.few),
            "customerNumber, checkNumber",
            "select customerNumber, checkNumber from payments where paymentDate <= %s",
            self.day,
        )

    def late_order(self) -> None:
        """Every third day an old order is there again, or no longer: the tables themselves say which."""
        if (self.day.toordinal() + self.seed) % 3 or self.day <= max(LATE_ORDER_DATES):
            return
        if self.read("select 1 from orders where orderNumber = %s", LATE_ORDER):
            self.delete_order(LATE_ORDER, self.lines([LATE_ORDER])[LATE_ORDER])
            return
        row = (LATE_ORDER, *LATE_ORDER_DATES, "Shipped", None, self.first_customer)
        self.writes["orders", "inserted"].append(row)
        products = self.read("select productCode, MSRP from products order by productCode limit %s", LATE_ORDER_LINES)
        for line, (code, list_price) in enumerate(products, 1):
            price = _cents(list_price * 9 / 10)
            self.writes["orderdetails", "inserted"].append((LATE_ORDER, code, 10 * line, price, line))


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"))
