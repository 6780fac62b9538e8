"""Learn, judge, and write the card.

1. The last six month ends with a known label are the test. What the judged model learns from ends 90 days before them,
   so no label of it was unknown on the first day of the test.
2. Two baselines: the rate of the last month end whose label was known on the day, and the rate of those who bought in
   the 90 days before, or did not.
3. Confidence is 95 %, of resampled customers: rows of one customer are not independent.
4. The model that is kept has learned from all known labels.
"""

import datetime
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from serving.predictions.model import (
    FEATURES,
    FOLDER,
    INPUTS,
    LABEL,
    OF_FEATURE,
    Model,
    PredictionsError,
    Row,
    inputs,
    ranges,
    rows,
    write,
)

SEED = 1
HORIZON = datetime.timedelta(days=90)
TEST_DAYS = 6
SUSPICIOUS = 0.95
"""An area under the curve that nobody reaches without knowing the future."""
Values = Any
"""Arrays of numpy, which the linters' environment does not have."""


def train(folder: Path = FOLDER) -> Model:
    """Raises ``PredictionsError``: too little is known, or a feature knows the future."""
    known = rows("is_label_known")
    days = sorted({row.day for row in known})
    test_days = days[-TEST_DAYS:]
    learn = [row.day + HORIZON < test_days[0] for row in known] if days else []
    test = [row.day in test_days for row in known]
    for part in (learn, test):
        if len({row.label for row, taken in zip(known, part, strict=True) if taken}) < 2:
            raise PredictionsError(
                f"{len(days)} month ends with a known label are too few: some months of purchases, then 90 days, then"
                f" {TEST_DAYS} more month ends are needed."
            )
    refuse_the_future(known)
    with threadpool_limits(1):  # sums in one order, so the same rows give the same bytes
        values, labels = np.array([inputs(row) for row in known]), np.array([bool(row.label) for row in known])
        judged = judge(known, values, labels, np.array(learn), np.array(test))
        fitted = fit(values, labels)
    content = {
        "kind": f"logistic regression, scikit-learn {sklearn.__version__}",
        "label": LABEL,
        "landing": max(row.loaded_at for row in known).isoformat(timespec="seconds"),
        "code": _code(),
        "seed": SEED,
        "rows": len(known),
        "customers": len({row.customer_number for row in known}),
        "days": [days[0].isoformat(), days[-1].isoformat()],
        **fitted,
        "ranges": {name: ranges([row.features[name] for row in known if row.day == days[-1]]) for name in FEATURES},
        "judged": judged,
    }
    return write(content, card(content), {row.customer_number for row in known}, folder)


def refuse_the_future(known: list[Row]) -> None:
    """No single feature may tell the label almost by itself."""
    labels = [bool(row.label) for row in known]
    for name in FEATURES:
        area = roc_auc_score(labels, [-1 if (value := row.features[name]) is None else value for row in known])
        if max(area, 1 - area) > SUSPICIOUS:
            raise PredictionsError(
                f"{name} alone tells who buys (area under the curve {max(area, 1 - area):.3f}): it knows the future."
                " Nothing was written; mend the feature in ml_customer_features."
            )


def fit(values: Values, labels: Values) -> dict[str, Any]:
    mean, scale = values.mean(axis=0), values.std(axis=0)
    scale[scale == 0] = 1
    found = LogisticRegression(C=0.1, max_iter=2000, random_state=SEED).fit((values - mean) / scale, labels)
    numbers = zip(INPUTS, mean, scale, found.coef_[0], strict=True)
    return {
        "intercept": round(float(found.intercept_[0]), 9),
        "inputs": [
            {"name": name, "mean": round(float(m), 9), "scale": round(float(s), 9), "weight": round(float(w), 9)}
            for name, m, s, w in numbers
        ],
    }


def predict(fitted: Mapping[str, Any], values: Values) -> Values:
    mean, scale, weight = (np.array([one[key] for one in fitted["inputs"]]) for key in ("mean", "scale", "weight"))
    return 1 / (1 + np.exp(-fitted["intercept"] - (values - mean) / scale @ weight))


def judge(known: list[Row], values: Values, labels: Values, learn: Values, test: Values) -> dict[str, Any]:
    fitted = fit(values[learn], labels[learn])
    days = np.array([row.day for row in known])
    recent = np.array([(row.features["recency_days"] or 0) <= HORIZON.days for row in known])
    last = {day: labels[days == max(days[days + HORIZON < day])].mean() for day in set(days[test])}
    rule = {flag: labels[learn & (recent == flag)].mean() for flag in (True, False)}
    guesses = {
        "model": predict(fitted, values[test]),
        "last known rate": np.array([last[day] for day in days[test]]),
        "recency rule": np.array([rule[bool(flag)] for flag in recent[test]]),
    }
    truth, losses = labels[test], {name: loss(labels[test], guess) for name, guess in guesses.items()}
    areas = {name: float(roc_auc_score(truth, guess)) for name, guess in guesses.items()}
    if areas["model"] > SUSPICIOUS:
        raise PredictionsError(
            f"An area under the curve of {areas['model']:.3f} is too good to be true: look for a leak."
        )
    customers, of = np.unique(
        [row.customer_number for row, taken in zip(known, test, strict=True) if taken], return_inverse=True
    )
    random = np.random.default_rng(SEED)
    drawn = [
        np.bincount(random.integers(len(customers), size=len(customers)), minlength=len(customers))[of]
        for _ in range(200)
    ]
    gains = {
        name: interval([np.average(losses[name] - losses["model"], weights=weights) for weights in drawn])
        for name in ("last known rate", "recency rule")
    }
    importance = {}
    for feature, names in OF_FEATURE.items():
        mixed, columns = values[test].copy(), [INPUTS.index(name) for name in names]
        mixed[:, columns] = mixed[random.permutation(len(mixed))][:, columns]
        importance[feature] = round(float(loss(truth, predict(fitted, mixed)).mean() - losses["model"].mean()), 4)
    order = np.array_split(np.argsort(guesses["model"], kind="stable"), 5)
    return {
        "days": [min(days[test]).isoformat(), max(days[test]).isoformat()],
        "rows": int(test.sum()),
        "customers": len(customers),
        "log_loss": {name: round(float(values.mean()), 4) for name, values in losses.items()},
        "area_under_the_curve": {name: round(area, 4) for name, area in areas.items()},
        "area_of_the_model": interval([roc_auc_score(truth, guesses["model"], sample_weight=w) for w in drawn[:50]]),
        "gain_in_log_loss": gains,
        "is_better": all(low > 0 for low, _ in gains.values()),
        "calibration": [
            [len(part), round(float(guesses["model"][part].mean()), 3), round(float(truth[part].mean()), 3)]
            for part in order
        ],
        "importance": dict(sorted(importance.items(), key=lambda one: -one[1])),
    }


def loss(truth: Values, guess: Values) -> Values:
    guess = np.clip(guess, 1e-6, 1 - 1e-6)
    return -np.where(truth, np.log(guess), np.log(1 - guess))


def interval(values: list[float]) -> list[float]:
    return [round(float(value), 4) for value in np.percentile(values, (2.5, 97.5))]


def card(content: Mapping[str, Any]) -> str:
    judged = content["judged"]
    low, high = judged["area_of_the_model"]
    few = " Of fewer than 1,000 customers: read the intervals, not the figures." if judged["customers"] < 1000 else ""
    table: list[list[Any]] = [["", "log loss", "area under the curve", "the model gains in log loss, 95 %"]]
    for name, value in judged["log_loss"].items():
        gain = " to ".join(map(str, judged["gain_in_log_loss"].get(name, ())))
        table.append([name, value, judged["area_under_the_curve"][name], gain])
    fifths: list[list[Any]] = [["fifth by chance", "rows", "chance", "bought"]]
    fifths += [[number, *values] for number, values in enumerate(judged["calibration"], 1)]
    return f"""\
Chance that a customer orders within 90 days after a month end: {LABEL}.

- {content["kind"]}, seed {content["seed"]}, code {content["code"]}
- {content["rows"]} rows of {content["customers"]} customers, {" to ".join(content["days"])}
- newest landing in them {content["landing"]} UTC; people erased until then are in none
- judged on {judged["rows"]} rows of {judged["customers"]} customers, {" to ".join(judged["days"])},
  one half-year, by a model that learned from labels known before

**On the test it is {"" if judged["is_better"] else "not surely "}better than both baselines.**
An area of 0.5 is a coin's; the model's is between {low} and {high} (95 %).{few}

{_table(table)}
{_table(fifths)}
{_table([["feature", "log loss without it, more"], *map(list, judged["importance"].items())])}"""


def _table(rows: list[list[Any]]) -> str:
    lines = [f"| {' | '.join(map(str, row))} |\n" for row in rows]
    return "".join([lines[0], f"|{' --- |' * len(rows[0])}\n", *lines[1:]])


def _code() -> str:
    """The commit, marked if files differ from it."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    found = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parent)
    return found.stdout.strip() or "in no repository"
