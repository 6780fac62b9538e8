"""Score the last month end into ``predictions.scores``, look at the drift of the inputs, or score one customer."""

import math
from pathlib import Path

from psycopg2.extras import execute_values

from catalog.connection import connect
from serving.predictions.model import FEATURES, FOLDER, Model, PredictionsError, Row, current, rows, shares

LAST = "as_of_date_key = (select max(as_of_date_key) from marts.ml_customer_features)"
DRIFTED = 0.25
"""A population stability index at which inputs are taken to be of another kind."""


def score(folder: Path = FOLDER) -> str:
    """The day's former scores are replaced, in one transaction. Returns a report.

    Raises:
        PredictionsError: no usable model, nobody to score, or the model has learned from somebody who is gone.
    """
    model, found = current(folder), rows(LAST)
    if not found:
        raise PredictionsError("ml_customer_features is empty: run `make run`.")
    gone = model.customers - {row.customer_number for row in found}
    if gone:
        raise PredictionsError(
            f"Model {model.model_id} has learned from {len(gone)} customers who are not in the features any more,"
            " as after an erasure: run `make model`."
        )
    day = found[0].day.strftime("%Y%m%d")
    values = [(row.customer_number, day, model.model_id, round(model.probability(row), 6)) for row in found]
    connection = connect()
    with connection, connection.cursor() as cursor:
        cursor.execute("delete from predictions.scores where as_of_date_key = %s", (day,))
        execute_values(cursor, "insert into predictions.scores values %s", values, "(%s, %s, %s, %s, now())")
    connection.close()
    lines = [f"{len(found):,} customers scored as of {found[0].day} by model {model.model_id}."]
    lines += [
        f"warning: {name} has drifted since the model learned (stability index {index:.2f}): look, then `make model`"
        for name, index in drift(model, found).items()
        if index > DRIFTED
    ]
    return "\n".join(lines)


def drift(model: Model, found: list[Row]) -> dict[str, float]:
    """The population stability index of each feature, against the last day that the model learned from."""
    indexes = {}
    for name in FEATURES:
        before, edges = (model.content["ranges"][name][key] for key in ("shares", "edges"))
        now = shares([row.features[name] for row in found], edges)
        pairs = [(max(old, 0.001), max(new, 0.001)) for old, new in zip(before, now, strict=True)]
        indexes[name] = sum((new - old) * math.log(new / old) for old, new in pairs)
    return indexes


def one(number: int, folder: Path = FOLDER) -> str:
    """A customer's chance as of the last month end, and the inputs that move it most.

    Raises:
        PredictionsError: no usable model, or no such customer.
    """
    model, found = current(folder), rows(f"{LAST} and customer_number = %s", number)
    if not found:
        raise PredictionsError(f"Customer {number} has no features: never ordered, is not there, or was erased.")
    parts = sorted(model.parts(found[0]).items(), key=lambda part: -abs(part[1]))
    moved = ", ".join(f"{name} {change:+.2f}" for name, change in parts[:3])
    return f"Customer {number}, {found[0].day}: {model.probability(found[0]):.3f} (model {model.model_id}; {moved})"
