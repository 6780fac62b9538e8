"""One address: ``/c/<signed link>``, a customer's orders, payments and balance.

Who may see    whoever holds the link, until it ends; it is signed with the service's key, so nobody else can make one
What is shown  the rows that service_embedded reads in a session that speaks for the link's customer, and no other row:
               the queries name no customer
What goes in   nothing but the link: no parameter, no form, no SQL
"""

import collections
import hashlib
import time
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, abort, render_template, request
from itsdangerous import BadData, URLSafeSerializer

MOST_A_MINUTE = 60
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none';"
    " frame-ancestors {parent}",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}
_QUERIES = {
    "customer": "select customer_number, country, credit_limit from dim_customers where is_current",
    "orders": """
        select fct_orders.order_number, dim_dates.date_day, fct_orders.order_status, fct_orders.net_sales_amount
        from fct_orders left join dim_dates on fct_orders.order_date_key = dim_dates.date_key
        order by dim_dates.date_day desc, fct_orders.order_number desc""",
    "payments": """
        select dim_dates.date_day, fct_payments.payment_amount
        from fct_payments left join dim_dates on fct_payments.payment_date_key = dim_dates.date_key
        order by dim_dates.date_day desc, fct_payments.payment_amount desc""",
    "balances": """
        select ordered_amount, paid_amount, outstanding_amount, credit_limit, is_over_limit
        from fct_customer_balances order by month_end_date_key desc limit 1""",
}


def link(key: str, customer: int, minutes: float) -> str:
    """The path of a customer's page that works for so long."""
    return f"/c/{_serializer(key).dumps([customer, int(time.time() + minutes * 60)])}"


def make(key: str, connect: Callable[[], Any], parent: str = "'none'") -> Flask:
    """The service. ``connect`` logs in as service_embedded; ``parent`` is the site that may frame the pages."""
    app = Flask(__name__)
    seen: dict[str, collections.deque[float]] = collections.defaultdict(collections.deque)

    def slow_down() -> None:
        now, times = time.monotonic(), seen[request.remote_addr or ""]
        while times and times[0] < now - 60:
            times.popleft()
        if len(times) >= MOST_A_MINUTE:
            abort(429)
        times.append(now)

    def protect(response: Response) -> Response:
        response.headers |= {name: value.format(parent=parent) for name, value in _HEADERS.items()}
        return response

    def page(signed: str) -> str:
        customer = _customer(key, signed)
        connection = connect()
        try:
            connection.set_session(readonly=True)
            with connection, connection.cursor() as cursor:
                cursor.execute("select set_config('app.customer_number', %s, false)", (str(customer),))
                rows = {}
                for name, query in _QUERIES.items():
                    cursor.execute(query)
                    columns = [column.name for column in cursor.description]
                    rows[name] = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
        finally:
            connection.close()
        if [found["customer_number"] for found in rows["customer"]] != [customer]:
            abort(404)
        return str(render_template("customer.html", **rows))

    app.before_request(slow_down)
    app.after_request(protect)
    app.add_url_rule("/c/<signed>", view_func=page)
    return app


def _customer(key: str, signed: str) -> int:
    """The customer that a link speaks for. One that is wrong, not ours or at its end is not found; no more is said."""
    try:
        content = _serializer(key).loads(signed)
    except BadData:
        abort(404)
    if not (isinstance(content, list) and len(content) == 2 and all(type(part) is int for part in content)):
        abort(404)
    customer, until = content
    if time.time() >= until:
        abort(404)
    return int(customer)


def _serializer(key: str) -> URLSafeSerializer:
    signer = {"digest_method": hashlib.sha256, "key_derivation": "hmac"}
    return URLSafeSerializer(key, salt="a customer's page", signer_kwargs=signer)
