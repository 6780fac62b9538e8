"""The data mutants are built on: a small shop after four days of trade and mishaps, of which dbt has built three.

What an incremental build does, and what the tests say of it, only shows where tables exist and rows have changed since. So
three days are landed and built as they should be, the fourth is landed, and each mutant has that one to build.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg2
from dbt.cli.main import dbtRunner, dbtRunnerResult

from ingestion.mysql import land
from landing.settings import from_environment
from sandbox import home, mysql, postgres, source
from sandbox.trade import trade
from tests.conftest import PROJECT, Servers

LANDED = "mutants_landed"
"""The fourth day landed."""
SCALE = 0.3
# The last is late enough for a label to have become known since.
DATES = [datetime.date(2005, 6, 1), datetime.date(2005, 6, 2), datetime.date(2005, 6, 3), datetime.date(2005, 7, 1)]

_LINE = "replace into orderdetails select {order}, productCode, {quantity}, 9.99, 1 from products order by productCode limit 1"
_MEMBER = (
    "insert into customers select {customer}, '{name}', contactLastName, contactFirstName, phone, addressLine1, addressLine2,"
    " city, state, postalCode, country, salesRepEmployeeNumber, 500 from customers order by customerNumber limit 1"
)
_PRICES = "update products set buyPrice = buyPrice + 1, MSRP = MSRP + 2 where crc32(productCode) % 3 = {third}"


def _blanks(table: str, key: str, *columns: str) -> str:
    """Blanks around texts of the last rows."""
    padded = ", ".join(f"{column} = concat(' ', {column}, ' ')" for column in columns)
    return f"update {table} set {padded} order by {key} desc limit 9"


# What is wrong or odd on each day; between them trade goes on. Foreign keys are not minded.
DAYS: list[list[str]] = [
    [
        # an order before its customer, a line before its order, a line before its product, a payment before its customer
        "replace into orders values (9001, '2005-04-20', '2005-04-29', null, 'In Process', null, 51)",
        _LINE.format(order=9001, quantity=10),
        _LINE.format(order=9002, quantity=7),
        "replace into orderdetails values (9001, 'NEW_1', 3, 20.00, 2)",
        "replace into payments values (52, 'EARLY', '2005-05-20', 55.50)",
        # a customer whose only order came on the last day of a month and has no lines
        _MEMBER.format(customer=60, name="Month End"),
        "replace into orders values (9004, '2004-04-30', '2004-05-09', null, 'In Process', null, 60)",
        # and one who will have none
        _MEMBER.format(customer=61, name="One Order"),
        "replace into orders values (9005, '2004-05-10', '2004-05-19', null, 'In Process', null, 61)",
        # an employee of an office, and a rep of a customer, that have not arrived
        "update employees set officeCode = '99' where jobTitle = 'Sales Rep' order by employeeNumber limit 1",
        "update customers set salesRepEmployeeNumber = 9999 where salesRepEmployeeNumber is not null"
        " order by customerNumber limit 1",
        # a status nobody described, an order that was late, a limit in use and one exactly used up
        "update orders set status = 'Pondering' where status = 'On Hold' order by orderNumber limit 1",
        "update orders set shippedDate = requiredDate + interval 3 day where status = 'Shipped' order by orderNumber limit 2",
        "update customers set creditLimit = 10 where customerNumber % 4 = 0",
    ],
    [
        "update customers set city = 'Town', country = 'Norway  ' where customerNumber % 5 = 1",
        "update customers set salesRepEmployeeNumber = (select max(employeeNumber) from employees)"
        " where salesRepEmployeeNumber is not null and customerNumber % 7 = 2",
        "update employees set officeCode = '1' where employeeNumber % 3 = 1 and officeCode <> '99'",
        "update employees set reportsTo = (select min(employeeNumber) from (select * from employees) as e)"
        " where jobTitle = 'Sales Rep' and employeeNumber % 4 = 1",
        _PRICES.format(third=0),
        "update products set productLine = 'Ships' where crc32(productCode) % 9 = 2",
        "update offices set city = 'New Town', phone = '+1' where officeCode = '2'",
        "replace into orders values (9003, '2005-06-02', '2005-06-09', null, 'In Process', null, 53)",
        _LINE.format(order=9003, quantity=12),
        "delete from payments where crc32(checkNumber) % 13 = 1",
        # two that are gone for a day, and months that will not stay
        "create table away like payments",
        "insert into away select * from payments order by checkNumber limit 2",
        "delete from payments where checkNumber in (select checkNumber from away)",
        "insert into payments select customerNumber, 'FAR', '2005-12-24', 2.25 from customers where customerNumber % 6 = 2",
        "insert into payments select customerNumber, 'LONG_AGO', '2002-11-24', 2.25 from customers where customerNumber % 6 = 2",
    ],
    ["insert into payments select * from away"],
    [
        # those that were mentioned arrive
        "insert into customers select 51, 'Late & Sons', contactLastName, contactFirstName, phone, addressLine1,"
        " addressLine2, 'Late Town', state, '777', country, salesRepEmployeeNumber, 500 from customers"
        " where salesRepEmployeeNumber is not null order by customerNumber limit 1",
        "replace into orders values (9002, '2005-05-10', '2005-05-19', null, 'On Hold', null, 51)",
        "insert into products select 'NEW_1', 'Brand new', productLine, productScale, productVendor, productDescription,"
        " 10, 12.50, 30.00 from products order by productCode limit 1",
        "insert into offices values ('99', 'Oslo', '+47', 'Street', null, null, 'Norway', '0150', 'EMEA')",
        # what was there changes again, and things vanish
        "update customers set creditLimit = creditLimit + 100, city = 'Village' where customerNumber % 5 = 2",
        "update customers set salesRepEmployeeNumber = (select min(employeeNumber) from employees where jobTitle = 'Sales Rep')"
        " where salesRepEmployeeNumber is not null and customerNumber % 7 = 3",
        "update employees set officeCode = '3', lastName = 'Renamed' where employeeNumber % 3 = 2 and officeCode <> '99'",
        _PRICES.format(third=1),
        "update offices set city = 'Newer Town', territory = 'APAC' where officeCode = '1'",
        "delete from orderdetails where orderNumber % 19 = 4",
        "delete from orders where orderNumber % 19 = 4 or orderNumber % 41 = 7",
        "delete from orderdetails where orderNumber = 9003",
        "delete from orders where orderNumber in (9003, 9005)",
        "delete from payments where crc32(checkNumber) % 13 = 2",
        "update payments set amount = amount + 1 where crc32(checkNumber) % 11 = 3",
        "update orders set customerNumber = (select min(customerNumber) from customers) where orderNumber % 23 = 5",
        "update orderdetails set quantityOrdered = quantityOrdered + 3 where orderNumber % 17 = 6",
        "update orders set orderDate = '2005-06-04', requiredDate = '2005-06-04', shippedDate = '2005-06-04',"
        " status = 'Shipped' where orderNumber % 29 = 3",
        # blanks around every text that staging takes them off
        _blanks("customers", "customerNumber", "customerName", "contactLastName", "contactFirstName", "phone"),
        _blanks(
            "customers", "customerNumber", "addressLine1", "addressLine2", "city", "state", "postalCode", "country"
        ),
        _blanks("employees", "employeeNumber", "lastName", "firstName", "jobTitle", "email", "extension"),
        _blanks("offices", "officeCode", "city", "phone", "addressLine1", "addressLine2"),
        _blanks("offices", "officeCode", "state", "country", "postalCode", "territory"),
        _blanks("products", "productCode", "productName", "productLine", "productScale", "productVendor"),
        _blanks("productlines", "productLine", "productLine"),
        _blanks("orders", "orderNumber", "status"),
        # a month later than most
        "insert into payments select customerNumber, 'LATE', '2005-07-01', 1.25 from customers where customerNumber % 6 = 1",
        "delete from payments where checkNumber in ('LONG_AGO', 'FAR')",
    ],
]


def prepare(servers: Servers, target: Path) -> dbtRunnerResult:
    """Fill the source, land and build all days but the last, land that one, keep the warehouse as ``LANDED``.

    Returns dbt's parsed project.
    """
    home.update_state(source=None)
    with home.locked():
        source.ensure(None, scale=SCALE, seed=3, when_replaced=postgres.reset)
    for number, (day, mishaps) in enumerate(zip(DATES, DAYS, strict=True)):
        with mysql.connect(home.read_state()[mysql.NAME], mysql.DATABASE) as connection:
            trade(connection, day, seed=number)
            with connection.cursor() as cursor:
                cursor.execute("set foreign_key_checks = 0")
                for statement in mishaps:
                    cursor.execute(statement)
            connection.commit()
        _land(servers, datetime.datetime.combine(day, datetime.time(22), datetime.timezone.utc))
        if number + 1 < len(DAYS):
            assert dbt("build", "--exclude-resource-type", "test", "unit_test", target=target).success
    home.update_state(source=None)  # what was played here is nobody else's data
    copy_database("warehouse", LANDED)
    return dbt("parse", target=target)


def _land(servers: Servers, as_of: datetime.datetime) -> None:
    report = land(from_environment(servers.environment, as_of=as_of))
    assert report.status == "ok", report


def dbt(*words: str, target: Path) -> dbtRunnerResult:
    """Run dbt in this process, on the database that ``PGDATABASE`` names."""
    folders = ["--target-path", str(target), "--log-path", str(target / "logs")]
    return dbtRunner().invoke(["--quiet", *words, *folders])


def dbt_environment(servers: Servers, project: Path) -> dict[str, str]:
    """What dbt needs to know; the unit tests of incremental branches run as well, the tables they read exist."""
    folders = {"DBT_PROFILES_DIR": str(project / "profiles"), "DBT_PROJECT_DIR": str(project)}
    return servers.environment | folders | {"DBT_TEST_INCREMENTAL": "true"}


def copy_database(template: str, copy: str) -> None:
    """Make ``copy`` what ``template`` is. A query that runs for 20 seconds in a copy has run away and ends."""
    _administer(
        f"drop database if exists {copy} with (force)",
        f"create database {copy} template {template} owner elt",
        f"alter database {copy} set statement_timeout = '20s'",
        f"alter database {copy} set synchronous_commit = off",
    )


def drop_databases(names: Sequence[str]) -> None:
    _administer(*(f"drop database if exists {name} with (force)" for name in names))


def _administer(*statements: str) -> None:
    connection: Any = psycopg2.connect(
        host="127.0.0.1",
        port=os.environ["PGPORT"],
        user="postgres",
        password=home.read_state()[postgres.NAME]["admin_password"],
        dbname="postgres",
    )
    connection.autocommit = True
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    connection.close()


FOLDERS = ("models", "macros", "snapshots", "seeds", "tests/generic", "tests/singular", "profiles")
assert all((PROJECT / folder).is_dir() for folder in FOLDERS)
