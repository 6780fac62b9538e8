"""The model: a logistic regression, kept as a file of numbers that anybody can read.

Rows     ``ml_customer_features``: one per customer and month end, known on that day
Inputs   the logarithm of each feature, whether there was a payment, and two waves of the year for the season
Folder   ``reports/models/<id>/``: model.json, card.md, customers.txt (whom it learned from). The id is the digest of
         model.json, and ``reports/models/current`` names the last. Erasing a person removes ``reports/`` as a whole.
"""

import dataclasses
import datetime
import hashlib
import json
import math
import statistics
from pathlib import Path
from typing import Any

from catalog.connection import connect

FOLDER = Path("reports/models")
LABEL = "bought_in_next_90_days"
FEATURES = (
    "recency_days",
    "tenure_days",
    "order_count",
    "orders_last_3_months",
    "orders_last_12_months",
    "gross_sales_last_3_months_amount",
    "gross_sales_last_12_months_amount",
    "average_order_amount",
    "payment_count",
    "paid_amount",
    "average_days_to_pay",
)
"""No key, no label, nothing personal. Not all sales so far: they are order_count times average_order_amount."""
INPUTS = (*FEATURES, "never_paid", "year_sine", "year_cosine", "half_year_sine", "half_year_cosine")
OF_FEATURE = {
    **{name: (name,) for name in FEATURES},
    "average_days_to_pay": ("average_days_to_pay", "never_paid"),
    "month": INPUTS[-4:],
}
"""The inputs that each feature becomes; the month is that of the day."""


class PredictionsError(Exception):
    """What is wrong, and the remedy. Nothing was written."""


@dataclasses.dataclass
class Row:
    customer_number: int
    day: datetime.date
    features: dict[str, float | None]
    label: bool | None
    loaded_at: datetime.datetime


def rows(condition: str, *values: Any) -> list[Row]:
    """Rows of ``ml_customer_features``, in the order of their keys. The condition may name ``day`` and any column."""
    statement = (
        f"select customer_number, date_day, {LABEL}, _loaded_at, {', '.join(FEATURES)} from marts.ml_customer_features"
        f" inner join (select date_key, date_day from marts.dim_dates) as dates on as_of_date_key = date_key"
        f" where {condition} order by as_of_date_key, customer_number"
    )
    connection = connect()
    with connection, connection.cursor() as cursor:
        cursor.execute(statement, values)
        found = [
            Row(number, day, dict(zip(FEATURES, map(_number, values), strict=True)), label, loaded_at)
            for number, day, label, loaded_at, *values in cursor
        ]
    connection.close()
    return found


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def inputs(row: Row) -> list[float]:
    turn = 2 * math.pi * row.day.month / 12
    waves = [math.sin(turn), math.cos(turn), math.sin(2 * turn), math.cos(2 * turn)]
    logs = [math.log1p(max(row.features[name] or 0, 0)) for name in FEATURES]
    return [*logs, float(row.features["average_days_to_pay"] is None), *waves]


def ranges(values: list[float | None]) -> dict[str, list[float]]:
    """The fifths of a feature: where they end, and their shares."""
    known = [value for value in values if value is not None]
    edges = sorted({round(edge, 2) for edge in statistics.quantiles(known, n=5)}) if len(known) > 1 else []
    return {"edges": edges, "shares": shares(values, edges)}


def shares(values: list[float | None], edges: list[float]) -> list[float]:
    """Of the values up to each edge, of those above the last, and of those that are missing."""
    counts = [0] * (len(edges) + 2)
    for value in values:
        counts[-1 if value is None else sum(value > edge for edge in edges)] += 1
    return [round(count / max(len(values), 1), 4) for count in counts]


@dataclasses.dataclass
class Model:
    model_id: str
    content: dict[str, Any]
    customers: set[int]

    def probability(self, row: Row) -> float:
        return 1 / (1 + math.exp(-self.content["intercept"] - sum(self.parts(row).values())))

    def parts(self, row: Row) -> dict[str, float]:
        """What each input adds to the logarithm of the odds, against the average customer."""
        found = zip(self.content["inputs"], inputs(row), strict=True)
        return {one["name"]: one["weight"] * (value - one["mean"]) / one["scale"] for one, value in found}


def write(content: dict[str, Any], card: str, customers: set[int], folder: Path = FOLDER) -> Model:
    text = json.dumps(content, indent=1) + "\n"
    model = Model(hashlib.sha256(text.encode()).hexdigest()[:12], content, customers)
    own = folder / model.model_id
    own.mkdir(parents=True, exist_ok=True)
    (own / "card.md").write_text(f"# Model {model.model_id}\n\n{card}", encoding="utf-8")
    (own / "customers.txt").write_text("".join(f"{number}\n" for number in sorted(customers)), encoding="utf-8")
    (own / "model.json").write_text(text, encoding="utf-8")
    (folder / "current").write_text(model.model_id, encoding="utf-8")
    return model


def current(folder: Path = FOLDER) -> Model:
    """The model that was trained last.

    Raises:
        PredictionsError: there is none, it is for other inputs, or somebody changed its file.
    """
    try:
        model_id = (folder / "current").read_text(encoding="utf-8")
        text = (folder / model_id / "model.json").read_text(encoding="utf-8")
        customers = (folder / model_id / "customers.txt").read_text(encoding="utf-8").split()
    except OSError:
        raise PredictionsError("There is no model: run `make model`.") from None
    content = json.loads(text)
    whole = hashlib.sha256(text.encode()).hexdigest()[:12] == model_id
    if not whole or [one["name"] for one in content["inputs"]] != list(INPUTS):
        raise PredictionsError(f"Model {model_id} is not as it was written, or is for other inputs: run `make model`.")
    return Model(model_id, content, set(map(int, customers)))
