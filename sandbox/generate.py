"""Make the eight classicmodels tables with invented content, at any size.

Shape    names, columns, types and keys of the well-known sample database, so the same models run on both.
Size     scale 1 is about the real one (326 orders, some 3,000 lines). Customers, orders, lines and payments grow with
         the scale, products and employees with its square root; offices and product lines stay.
Quirks   The hard parts of the real data are planted by row number, so they are there at every scale. Examples are
         trailing blanks, missing and shared postal codes, customers without a rep, cancelled orders that had shipped.
Same     only ``random()`` and integer arithmetic decide, so a seed gives the same rows on every machine and Python.
"""

from __future__ import annotations

import datetime
import math
import pathlib
import tempfile
from collections.abc import Callable, Iterable
from random import Random
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from pymysql.connections import Connection

Rnd = Callable[[], float]

FIRST_DAY = datetime.date(2003, 1, 6)
LAST_DAY = datetime.date(2005, 5, 31)

SMALLEST_SCALE = 0.1

TABLES = {
    "productlines": """
        productLine varchar(50) NOT NULL,
        textDescription varchar(4000),
        htmlDescription mediumtext,
        image mediumblob,
        PRIMARY KEY (productLine)""",
    "products": """
        productCode varchar(15) NOT NULL,
        productName varchar(70) NOT NULL,
        productLine varchar(50) NOT NULL,
        productScale varchar(10) NOT NULL,
        productVendor varchar(50) NOT NULL,
        productDescription text NOT NULL,
        quantityInStock smallint NOT NULL,
        buyPrice decimal(10,2) NOT NULL,
        MSRP decimal(10,2) NOT NULL,
        PRIMARY KEY (productCode),
        KEY productLine (productLine),
        FOREIGN KEY (productLine) REFERENCES productlines (productLine)""",
    "offices": """
        officeCode varchar(10) NOT NULL,
        city varchar(50) NOT NULL,
        phone varchar(50) NOT NULL,
        addressLine1 varchar(50) NOT NULL,
        addressLine2 varchar(50),
        state varchar(50),
        country varchar(50) NOT NULL,
        postalCode varchar(15) NOT NULL,
        territory varchar(10) NOT NULL,
        PRIMARY KEY (officeCode)""",
    "employees": """
        employeeNumber int NOT NULL,
        lastName varchar(50) NOT NULL,
        firstName varchar(50) NOT NULL,
        extension varchar(10) NOT NULL,
        email varchar(100) NOT NULL,
        officeCode varchar(10) NOT NULL,
        reportsTo int,
        jobTitle varchar(50) NOT NULL,
        PRIMARY KEY (employeeNumber),
        KEY reportsTo (reportsTo),
        KEY officeCode (officeCode),
        FOREIGN KEY (reportsTo) REFERENCES employees (employeeNumber),
        FOREIGN KEY (officeCode) REFERENCES offices (officeCode)""",
    "customers": """
        customerNumber int NOT NULL,
        customerName varchar(50) NOT NULL,
        contactLastName varchar(50) NOT NULL,
        contactFirstName varchar(50) NOT NULL,
        phone varchar(50) NOT NULL,
        addressLine1 varchar(50) NOT NULL,
        addressLine2 varchar(50),
        city varchar(50) NOT NULL,
        state varchar(50),
        postalCode varchar(15),
        country varchar(50) NOT NULL,
        salesRepEmployeeNumber int,
        creditLimit decimal(10,2),
        PRIMARY KEY (customerNumber),
        KEY salesRepEmployeeNumber (salesRepEmployeeNumber),
        FOREIGN KEY (salesRepEmployeeNumber) REFERENCES employees (employeeNumber)""",
    "orders": """
        orderNumber int NOT NULL,
        orderDate date NOT NULL,
        requiredDate date NOT NULL,
        shippedDate date,
        status varchar(15) NOT NULL,
        comments text,
        customerNumber int NOT NULL,
        PRIMARY KEY (orderNumber),
        KEY customerNumber (customerNumber),
        FOREIGN KEY (customerNumber) REFERENCES customers (customerNumber)""",
    "orderdetails": """
        orderNumber int NOT NULL,
        productCode varchar(15) NOT NULL,
        quantityOrdered int NOT NULL,
        priceEach decimal(10,2) NOT NULL,
        orderLineNumber smallint NOT NULL,
        PRIMARY KEY (orderNumber, productCode),
        KEY productCode (productCode),
        FOREIGN KEY (orderNumber) REFERENCES orders (orderNumber),
        FOREIGN KEY (productCode) REFERENCES products (productCode)""",
    "payments": """
        customerNumber int NOT NULL,
        checkNumber varchar(50) NOT NULL,
        paymentDate date NOT NULL,
        amount decimal(10,2) NOT NULL,
        PRIMARY KEY (customerNumber, checkNumber),
        FOREIGN KEY (customerNumber) REFERENCES customers (customerNumber)""",
}


def _list(text: str) -> list[str]:
    return text.split(", ")


OFFICES = (
    ("1", "Seattle", "+1 206 555 0110", "900 Pier Avenue", "Suite 410", "WA", "USA", "98101", "NA"),
    ("2", "Chicago", "+1 312 555 0120", "77 Foundry Street", None, "IL", "USA", "60607", "NA"),
    ("3", "Atlanta", "+1 404 555 0130", "12 Orchard Square", "Floor 2", "GA", "USA", "30303", "NA"),
    ("4", "Lyon", "+33 4 55 50 01 40", "8, quai de l'Écluse", None, None, "France", "69002", "EMEA"),
    ("5", "Osaka", "+81 6 5550 0150", "3-14 Funaba", None, "Osaka-fu", "Japan", "541-0050", "Japan"),
    ("6", "Melbourne", "+61 3 5550 0160", "201 Tramway Road", "Level 9", "Victoria", "Australia", "3000", "APAC"),
    ("7", "Edinburgh", "+44 131 555 0170", "5 Lantern Close", None, None, "UK", "EH1 1AA", "EMEA"),
)

# city, state, postal code (# is any digit), country, territory. The first ones carry the quirks.
PLACES = (
    ("Bergen", None, "50##", "Norway  ", "EMEA"),
    ("Oslo", None, "01##", "Norway", "EMEA"),
    ("Oakland", "CA", "94099", "USA", "NA"),
    ("Berkeley", "CA", "94099", "USA", "NA"),
    ("Kowloon", None, None, "Hong Kong", "APAC"),
    ("Galway", "Co. Galway", None, "Ireland", "EMEA"),
    ("Tauranga  ", None, None, "New Zealand", "APAC"),
    ("Zürich", None, "80##", "Switzerland", "EMEA"),
    ("Québec", "Québec", "G1K 3G#", "Canada", "NA"),
    ("Sendai", "Miyagi", "980-08##", "Japan", "Japan"),
    ("Alameda", "CA", "94099", "USA", "NA"),
    ("Tromsø", None, "90##", "Norway  ", "EMEA"),
    ("Austin", "TX", "787##", "USA", "NA"),
    ("Málaga", None, "290##", "Spain", "EMEA"),
    ("Bordeaux", None, "330##", "France", "EMEA"),
    ("Portland", "OR", "972##", "USA", "NA"),
    ("Perth", "WA", "60##", "Australia", "APAC"),
    ("Cardiff", None, "CF10 #AA", "UK", "EMEA"),
    ("Denver", "CO", "802##", "USA", "NA"),
    ("Bilbao", None, "480##", "Spain", "EMEA"),
    ("Malmö", None, "S-211 ##", "Sweden", "EMEA"),
    ("Tampa", "FL", "336##", "USA", "NA"),
    ("Köln", None, "506##", "Germany", "EMEA"),
    ("Rennes", None, "350##", "France", "EMEA"),
    ("Buffalo", "NY", "142##", "USA", "NA"),
    ("Singapore", None, "0690##", "Singapore", "APAC"),
    ("Bologna", None, "401##", "Italy", "EMEA"),
    ("Madison", "WI", "537##", "USA", "NA"),
    ("Århus", None, "80##", "Denmark", "EMEA"),
    ("Graz", None, "80##", "Austria", "EMEA"),
    ("Savannah", "GA", "314##", "USA", "NA"),
    ("Valencia", None, "460##", "Spain", "EMEA"),
    ("Turku", None, "201##", "Finland", "EMEA"),
    ("Tucson", "AZ", "857##", "USA", "NA"),
    ("Liège", None, "B-40##", "Belgium", "EMEA"),
    ("Toulouse", None, "310##", "France", "EMEA"),
    ("Boise", "ID", "837##", "USA", "NA"),
    ("Dunedin", None, "90##", "New Zealand", "APAC"),
    ("Fukuoka", "Fukuoka", "810-00##", "Japan", "Japan"),
    ("Albany", "NY", "122##", "USA", "NA"),
)

LAST_NAMES = _list(
    "Abara, Bækkelund, Castaño, D'Arcy, Ekström, Fournier, Gruber, Hallam, Iwasaki, Jørgensen, Kowalczyk, Lindqvist, "
    "Møller, Núñez, O'Rourke, Pereira, Quigley, Rüegg, Søndergård, Tanaka, Ullmann, Vázquez, Whitcombe, Ximénez, "
    "Yamada, Zöllner, Ashdown, Brûlé, Cheung, Delacroix, Esposito, Fairbanks, Giordano, Hamid, Ibsen, Jeong, Kjær, "
    "Laurent, Mbeki, Nilsson"
)
FIRST_NAMES = _list(
    "Amélie, Björn, Clara, Diego, Eleni, François, Greta, Hiro, Inés, Jürgen, Keiko, Liam, Maëlle, Nils, Olive, Pål, "
    "Rosa, Stéphane, Tove, Umberto, Vera, Wes, Yuki"
)
SHOPS = _list(
    "Miniatures, Model Shop, Toys & Trains, Hobby House, Collectors, Gift Gallery, Wheels, Imports, Scale Models, "
    "Curios, Diecast Depot, Presents"
)
COMPANY_FORMS = ("", ", Ltd.", ", Inc.", " & Co.", ", S.A.", " GmbH", " & Cie.")
STREETS = _list("Harbour Street, Mill Lane, rue du Moulin, Königsallee, Calle de la Peña, Station Road, Storgata")

# name (the features' columns go by them), share of 110 products, models, what its text says
PRODUCT_LINES = (
    ("Classic Cars", 37, ("Coupé", "Roadster", "Spider", "GT"), "Fast cars of every decade, with opening doors."),
    ("Vintage Cars", 24, ("Saloon", "Tourer", "Estate", "Limousine"), "Room for five, the dog and the picnic."),
    ("Motorcycles", 13, ("Twin", "Scrambler", "Café Racer", "Sidecar"), 'From "rockers" to racers, chrome by hand.'),
    ("Planes", 12, ("Biplane", "Seaplane", "Jet", "Glider"), "Propellers turn; undercarriages fold."),
    ("Trucks and Buses", 11, ("Tanker", "Coach", "Pick-up", "Fire Engine"), "Working vehicles, loaded or empty."),
    ("Ships", 10, ("Clipper", "Frigate", "Schooner", "Brig"), "Wooden hulls, linen sails, real rigging."),
    ("Trains", 3, ("Locomotive", "Railcar", "Tram", "Tender"), "Steam, diesel and the tram round the corner."),
)
MAKERS = _list("Altamira, Brandt, Corvina, Delorme, Eisenhut, Falkirk, Gavril, Hollis, Ilmari, Juno, Kestrel, Lagoa")
VENDORS = _list(
    "Pewter & Pine, Lilliput Works, Northgate Castings, Atelier Minuscule, Tin Lantern, Small World Foundry, "
    "Copperfield Models, Ravensburn Diecast, Osprey Miniatures, Half Inch Studio, Blue Anvil, Kleinkunst, "
    "Thumbnail Toys"
)
SCALES = (10, 12, 18, 18, 24, 24, 32, 50, 72, 700)
FEATURES = (
    "Opening doors.",
    "Hand-painted, 42 parts.",
    "Working suspension.",
    "Rubber tyres.",
    "Numbered certificate.",
)

# status, how many at scale 1, from and to which part of the orders (they are sorted by date)
STATUSES = (
    ("Cancelled", 6, 0.20, 0.55),
    ("Resolved", 4, 0.55, 0.80),
    ("On Hold", 4, 0.80, 0.94),
    ("Disputed", 3, 0.94, 0.98),
    ("In Process", 6, 0.98, 1.00),
)
COMMENTS = {
    "Cancelled": "The customer withdrew, a cheaper offer turned up.",
    "Resolved": "Complaint settled: two boxes were replaced.",
    "On Hold": "Over the credit limit, waits for a payment.",
    "Disputed": 'The customer calls the paint "too blue", photographs follow.',
}
NOTES = (
    'Wants "no plastic", metal only, please.',
    "Deliver to dock 7\\8, path C:\\new\\toys on the label.",
    "Ask for Mr O'Hara, not for Mr O'Meara.",
    "Call first;\nthe gate is locked.",
)

ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n"})


def generate(connection: Connection[Any], scale: float = 1, seed: int = 1) -> None:
    """Create the eight tables in the connection's database and fill them.

    The database must not have these tables yet: none is ever dropped. After an error, drop the database.
    The connection needs ``local_infile=True`` on both sides.

    Raises:
        ValueError: scale is below 0.1, where some of the planted quirks would no longer fit.
        RuntimeError: the server changed or refused a row while loading. Names the table.
    """
    if not SMALLEST_SCALE <= scale < math.inf:
        raise ValueError(f"scale is {scale}; the smallest that still shows every quirk is {SMALLEST_SCALE}")
    rnd = Random(seed).random
    growth = max(1.0, math.sqrt(scale))
    with tempfile.TemporaryDirectory() as folder:
        files = {table: pathlib.Path(folder, table) for table in TABLES}
        employees, reps = _employees(round(17 * growth), rnd)
        products, prices = _products(round(110 * growth), rnd)
        customers, buyers = _customers(round(122 * scale), reps, rnd)
        lines = ((name, f"{text}\nEvery piece is invented.", None, None) for name, _, _, text in PRODUCT_LINES)
        for table, rows in {
            "productlines": lines,
            "products": products,
            "offices": OFFICES,
            "employees": employees,
            "customers": customers,
        }.items():
            _write(files[table], rows)
        _write_orders(files, round(326 * scale), scale, buyers, prices, rnd)
        _create_and_load(connection, files)


def customer_row(number: int, index: int, rep: int | None, credit_limit: int, rnd: Rnd) -> tuple[Any, ...]:
    """One row of ``customers``; the index decides the name, the place and the quirks."""
    names, shops, forms = len(LAST_NAMES), len(SHOPS), len(COMPANY_FORMS)
    name = f"{LAST_NAMES[index % names]} {SHOPS[index // names % shops]}{COMPANY_FORMS[index % forms]}"
    again = index // (names * shops * forms)
    city, state, postal_code, country, _ = PLACES[index % len(PLACES)]
    return (
        number,
        f"{name} {again + 1}" if again else name,
        LAST_NAMES[(index * 7 + 3) % names],
        FIRST_NAMES[index % len(FIRST_NAMES)] + ("  " if index % 3 == 0 else ""),
        f"+{1 + int(rnd() * 98)} 555 {int(rnd() * 10_000):04d}",
        f"{1 + int(rnd() * 999)} {STREETS[index % len(STREETS)]}",
        f"Floor {1 + index % 9}" if index % 6 == 0 else None,
        city,
        state,
        postal_code and "".join(str(int(rnd() * 10)) if sign == "#" else sign for sign in postal_code),
        country,
        rep,
        f"{credit_limit}.00",
    )


def _employees(rep_count: int, rnd: Rnd) -> tuple[list[tuple[Any, ...]], dict[str, list[int]]]:
    """Rows of ``employees``, and the numbers of the sales reps by territory."""
    rows: list[tuple[Any, ...]] = []

    def hire(title: str, office: str, boss: int | None) -> int:
        index = len(rows)
        number = 1001 + 4 * index + int(rnd() * 4)
        mailbox = rows[-1][4] if index % 9 == 7 else f"staff{number}@miniatures.example"
        last_name = LAST_NAMES[index * 11 % len(LAST_NAMES)]
        first_name = FIRST_NAMES[index * 5 % len(FIRST_NAMES)]
        rows.append((number, last_name, first_name, f"x{1000 + number}", mailbox, office, boss, title))
        return number

    president = hire("President", "1", None)
    sales = hire("VP Sales", "1", president)
    hire("VP Marketing", "1", president)
    bosses = {
        "NA": hire("Sales Manager (NA)", "1", sales),
        "EMEA": hire("Sales Manager (EMEA)", "4", sales),
        "APAC": hire("Sales Manager (APAC)", "6", sales),
        "Japan": sales,
    }
    reps: dict[str, list[int]] = {territory: [] for territory in bosses}
    for index in range(rep_count):
        office = OFFICES[index % len(OFFICES)]
        territory = str(office[-1])
        reps[territory].append(hire("Sales Rep", str(office[0]), bosses[territory]))
        if bosses[territory] == sales:  # Japan has no manager: its first rep leads the others
            bosses[territory] = reps[territory][0]
    return rows, reps


def _products(count: int, rnd: Rnd) -> tuple[list[tuple[Any, ...]], list[tuple[str, list[int]]]]:
    """Rows of ``products`` in key order, and per product its code and the prices it is sold at, in cents."""
    lines = [line for line in PRODUCT_LINES for _ in range(line[1])]
    rows = []
    prices = {}
    for index in range(count):
        line, _, models, _ = lines[index * 37 % len(lines)]
        scale = SCALES[index % len(SCALES)]
        scale_in_code = SCALES[(index + 4) % len(SCALES)] if index % 18 == 7 else scale
        name = f"{1925 + index * 13 % 73} {MAKERS[index % len(MAKERS)]} {models[index // len(MAKERS) % len(models)]}"
        text = [FEATURES[(index + step) % len(FEATURES)] for step in range(1 + index % 4)]
        code = f"S{scale_in_code}_{1000 + 13 * index}"
        list_price = 3_000 + int(rnd() * 18_500)
        prices[code] = [list_price * percent // 100 for percent in range(75, 101)]
        rows.append(
            (
                code,
                name,
                line,
                f"1:{scale}",
                VENDORS[index % len(VENDORS)],
                ("\r\n" if index % 16 == 3 else " ").join([f"Scale model of the {name}.", *text]),
                15 + int(rnd() * 9_900),
                _money(list_price * (40 + int(rnd() * 31)) // 100),
                _money(list_price),
            )
        )
    return sorted(rows), sorted(prices.items())


def _customers(count: int, reps: dict[str, list[int]], rnd: Rnd) -> tuple[list[tuple[Any, ...]], list[int]]:
    """Rows of ``customers``, and the numbers of those that order: neither the ones without a rep nor every 61st."""
    rows, buyers = [], []
    for index in range(count):
        number = 103 + 3 * index + int(rnd() * 3)
        team = reps[PLACES[index % len(PLACES)][4]]
        rep = None if index % 11 in (5, 10) else team[int(rnd() * len(team))]
        buys = rep is not None and index % 61 != 11
        rows.append(customer_row(number, index, rep, 100 * (200 + int(rnd() * 1_100)) if buys else 0, rnd))
        if buys:
            buyers.append(number)
    return rows, buyers


def _write_orders(
    files: dict[str, pathlib.Path],
    count: int,
    scale: float,
    buyers: list[int],
    prices: list[tuple[str, list[int]]],
    rnd: Rnd,
) -> None:
    """Write orders, their lines and the payments. Days are counted from FIRST_DAY, money is in cents."""
    last = (LAST_DAY - FIRST_DAY).days
    dates = [FIRST_DAY + datetime.timedelta(day) for day in range(last + 40)]
    season = [
        day
        for day, date in enumerate(dates[: last + 1])
        for _ in range((date.year - 2000) * {10: 2, 11: 3}.get(date.month, 1))
    ]
    days = [0, *sorted(season[int(rnd() * len(season))] for _ in range(count - 2)), last]
    iso = [date.isoformat() for date in dates]

    statuses = ["Shipped"] * count
    cancelled_after_shipping = set()
    for status, share, start, end in STATUSES:
        number = max(2, round(share * scale))
        for step in range(number):
            index = int(count * (start + (end - start) * (step + 0.5) / number))
            statuses[index] = status
            if status == "Cancelled" and step % 3 == 0:
                cancelled_after_shipping.add(index)

    big_buyers = max(2, len(buyers) // 50)
    sold = len(prices) - 1  # one product never sells
    amounts = [[(_money(price), price) for price in steps] for _, steps in prices]
    codes = [code for code, _ in prices]
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ"  # pragma: allowlist secret
    payments: list[tuple[int, str, str, str]] = []

    with _open(files["orders"]) as orders, _open(files["orderdetails"]) as lines:
        for index, (day, status) in enumerate(zip(days, statuses, strict=True)):
            number = 10_100 + index
            buyer = buyers[int(rnd() * (big_buyers if index % 8 == 0 else len(buyers)))]
            required = day + 6 + int(rnd() * 7)
            shipped: int | None = min(day + 1 + int(rnd() * 6), last)
            if index % 150 == 17 and index < 0.9 * count:
                shipped = required + 1 + int(rnd() * 30)
            if status in ("In Process", "On Hold") or (status == "Cancelled" and index not in cancelled_after_shipping):
                shipped = None
            note = NOTES[index // 5 % len(NOTES)] if index % 5 == 2 else None
            shipped_on = None if shipped is None else iso[shipped]
            orders.write(
                _line((number, iso[day], iso[required], shipped_on, status, COMMENTS.get(status, note), buyer))
            )

            picked: dict[int, int] = {}
            line_count = 1 + int(rnd() * 18)
            while len(picked) < line_count:
                picked.setdefault(int(rnd() * sold), len(picked) + 1)
            total = 0
            for product, line_number in sorted(picked.items()):
                quantity = 20 + int(rnd() * 31)
                text, price = amounts[product][int(rnd() * 26)]
                lines.write(f"{number}\t{codes[product]}\t{quantity}\t{text}\t{line_number}\n")
                total += quantity * price

            if shipped is not None and status in ("Shipped", "Resolved") and rnd() < 0.92:
                paid = shipped + 3 + int(rnd() * 30)
                if paid <= last:
                    letter = letters[int(rnd() * len(letters))]
                    check = f"{letter}{100_000 + len(payments) * 7_919 % 900_000}"  # no customer gets one twice
                    payments.append((buyer, check, iso[paid], _money(total // 2 if len(payments) % 10 == 3 else total)))
    payments.sort()
    _write(files["payments"], payments)


def _create_and_load(connection: Connection[Any], files: dict[str, pathlib.Path]) -> None:
    with connection.cursor() as cursor:
        for table, columns in TABLES.items():
            cursor.execute(f"CREATE TABLE {table} ({columns}) ENGINE=InnoDB DEFAULT CHARSET=latin1")
        cursor.execute("SET SESSION foreign_key_checks = 0, unique_checks = 0")
        try:
            for table, file in files.items():
                cursor.execute(f"LOAD DATA LOCAL INFILE %s INTO TABLE {table} CHARACTER SET utf8mb4", (str(file),))
                if cursor.execute("SHOW WARNINGS"):  # LOCAL turns errors into warnings
                    raise RuntimeError(f"the server did not load {table} as it was generated; drop the database")
                connection.commit()
        finally:
            cursor.execute("SET SESSION foreign_key_checks = 1, unique_checks = 1")


def _write(file: pathlib.Path, rows: Iterable[tuple[Any, ...]]) -> None:
    with _open(file) as lines:
        lines.writelines(map(_line, rows))


def _open(file: pathlib.Path) -> TextIO:
    return file.open("w", encoding="utf-8", newline="\n")


def _line(row: tuple[Any, ...]) -> str:
    """A row as LOAD DATA reads it by default: tabs between, backslash escapes, ``\\N`` for NULL."""
    return "\t".join("\\N" if value is None else str(value).translate(ESCAPES) for value in row) + "\n"


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"
