"""A customer's page over HTTP: it holds that customer's figures, and no way of asking leads to another's."""

import base64
import dataclasses
import http.client
import itertools
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest

from sandbox import home, postgres
from tests.conftest import PROJECT
from tests.project.conftest import Star

PYTHON = PROJECT / ".venv-embedded" / "bin" / "python"
OWN, OTHER = 450, 141
KEY = "a key of this test"
_visitors = itertools.count(1)
SIGN = (
    "import sys; from serving.embedded.app import link; print(link(sys.argv[1], eval(sys.argv[2]), float(sys.argv[3])))"
)


@dataclasses.dataclass
class Service:
    port: int
    star: Star
    visitor: str
    """The address that asks: the service counts by it, and each test has one of its own."""

    def ask(self, path: str, method: str = "GET", body: str = "", **headers: str) -> tuple[int, str, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30, source_address=(self.visitor, 0))
        try:
            connection.request(
                method, path, body or None, {name.replace("_", "-"): value for name, value in headers.items()}
            )
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), dict(answer.headers)
        finally:
            connection.close()

    def link(self, customer: object = OWN, key: str = KEY, minutes: float = 5) -> str:
        done = subprocess.run(
            [PYTHON, "-c", SIGN, key, repr(customer), str(minutes)],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()


@pytest.fixture(scope="module")
def served(star: Star) -> Iterator[Service]:
    if not PYTHON.exists():
        pytest.skip("Flask and waitress are not installed here (make embedded installs them): the service was not run")
    port = home.free_port(None)
    own = star.servers.environment | {
        "EMBEDDED_KEY": KEY,
        "EMBEDDED_PASSWORD": home.read_state()[postgres.NAME]["roles"]["service_embedded"],
    }
    process = subprocess.Popen(
        [PYTHON, "-m", "serving.embedded", "--port", str(port)], cwd=PROJECT, env=os.environ | own
    )
    running = Service(port, star, "127.0.0.1")
    try:
        for _ in range(300):
            try:
                running.ask("/")
                break
            except OSError:
                time.sleep(0.1)
        yield running
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@pytest.fixture
def service(served: Service) -> Service:
    return dataclasses.replace(served, visitor=f"127.0.1.{next(_visitors)}")


def amounts(star: Star, customer: int) -> set[str]:
    """Amounts of a customer's orders and payments that no other customer has."""
    of_all = """
        select customer_number, to_char(amount, 'FM999,999,990.00') from (
            select customer_number, sum(quantity_ordered * price_each) as amount
            from raw_classicmodels.orders join raw_classicmodels.orderdetails using (order_number)
            where status <> 'Cancelled' group by customer_number, order_number
            union select customer_number, amount from raw_classicmodels.payments) as every"""
    rows = star.query(of_all)
    others = {amount for number, amount in rows if number != customer}
    return {amount for number, amount in rows if number == customer} - others


def test_a_customer_sees_all_of_its_own_and_nothing_else(service: Service) -> None:
    status, page, headers = service.ask(service.link())
    assert status == 200
    own, other = amounts(service.star, OWN), amounts(service.star, OTHER)
    assert len(own) >= 5 and len(other) > 20
    assert all(f"${amount}" in page for amount in own)
    assert not any(amount in page for amount in other)
    ((owed,),) = service.star.query(
        f"select outstanding_amount from marts.fct_customer_balances where customer_number = {OWN} order by month_end_date_key desc limit 1"
    )
    assert f"You owe ${owed:,.2f}" in page and owed == Decimal("83984.89")
    assert headers["Cache-Control"] == "no-store"
    assert (
        "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        and "script" not in headers["Content-Security-Policy"]
    )
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["Referrer-Policy"] == "no-referrer"
    assert "Server" not in headers and "Set-Cookie" not in headers


def _altered(path: str, change: Callable[[list[int]], object]) -> str:
    """A link with other content under the old signature."""
    content, signature = path.removeprefix("/c/").rsplit(".", 1)
    parts = change(json.loads(base64.urlsafe_b64decode(content + "==")))
    return "/c/" + base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=") + "." + signature


WAYS: dict[str, Callable[[Service], tuple[str, dict[str, str]]]] = {
    "another number under the signature": lambda s: (_altered(s.link(), lambda parts: [OTHER, parts[1]]), {}),
    "two numbers under the signature": lambda s: (_altered(s.link(), lambda parts: [OTHER, *parts]), {}),
    "a later end under the signature": lambda s: (_altered(s.link(minutes=-5), lambda parts: [parts[0], parts[1] + 9999]), {}),
    "signed with another key": lambda s: (s.link(OTHER, key="guessed"), {}),
    "signed with no key": lambda s: (s.link(OTHER, key=""), {}),
    "not signed": lambda s: (s.link(OTHER).rsplit(".", 1)[0], {}),
    "an empty signature": lambda s: (s.link(OTHER).rsplit(".", 1)[0] + ".", {}),
    "the signature of one, the content of another": lambda s: (s.link(OTHER, key="x").rsplit(".", 1)[0] + "." + s.link().rsplit(".", 1)[1], {}),
    "after its end": lambda s: (s.link(OTHER, minutes=-1), {}),
    "cut off": lambda s: (s.link(OTHER)[:-1], {}),
    "more behind it": lambda s: (s.link(OTHER) + "A", {}),
    "letters in another case": lambda s: ("/c/" + s.link(OTHER).removeprefix("/c/").swapcase(), {}),
    "SQL for a number, rightly signed": lambda s: (s.link(f"{OWN} or true"), {}),
    "a list, rightly signed": lambda s: (s.link([OWN, OTHER]), {}),
    "true, rightly signed": lambda s: (s.link(True), {}),
    "nothing, rightly signed": lambda s: (s.link(None), {}),
    "a customer that is not there": lambda s: (s.link(999999), {}),
    "a number below zero": lambda s: (s.link(-1), {}),
    "the plain number": lambda s: (f"/c/{OTHER}", {}),
    "another path": lambda s: (f"{s.link()}/../{OTHER}", {}),
    "a null byte": lambda s: (s.link() + "%00", {}),
    "the other way to ask": lambda s: (s.link(OTHER), {"method": "POST", "body": f"customer={OTHER}"}),
    "writing": lambda s: (s.link(OTHER), {"method": "PUT", "body": "x"}),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_no_way_leads_in(way: str, service: Service) -> None:
    path, given = WAYS[way](service)
    status, page, _ = service.ask(path, **given)
    assert status in (404, 405)
    assert not any(amount in page for customer in (OWN, OTHER) for amount in amounts(service.star, customer))


@pytest.mark.parametrize(
    ("after", "headers"),
    [
        (f"?customer={OTHER}&customer_number={OTHER}&app.customer_number={OTHER}", {}),
        ("?x='; set app.customer_number = 141; --", {}),
        ("", {"X_Customer_Number": str(OTHER), "X_Forwarded_For": "10.0.0.1", "Host": "other.example"}),
        ("", {"Cookie": f"customer={OTHER}; session={OTHER}", "Authorization": "Basic MTQxOjE0MQ=="}),
    ],
)
def test_what_comes_beside_the_link_changes_nothing(after: str, headers: dict[str, str], service: Service) -> None:
    path = service.link()
    plain = service.ask(path)
    assert plain[0] == 200
    assert service.ask(path + after.replace(" ", "%20"), **headers)[:2] == plain[:2]


def test_two_customers_at_once_each_see_their_own(service: Service) -> None:
    links = {customer: service.link(customer) for customer in (OWN, OTHER)}
    found: list[tuple[int, str]] = []
    threads = [
        threading.Thread(target=lambda c=customer: found.append((c, service.ask(links[c])[1])))
        for customer in [OWN, OTHER] * 10
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20
    for customer, page in found:
        assert f"Customer {customer}," in page
        assert not any(amount in page for amount in amounts(service.star, OWN + OTHER - customer))


def test_who_asks_too_often_waits(service: Service) -> None:
    answers = [service.ask("/c/x")[0] for _ in range(70)]
    assert answers[:50] == [404] * 50
    assert answers[-1] == 429
    assert service.ask(service.link())[0] == 429
