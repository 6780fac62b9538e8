"""The model of the real data: its card, its bytes, its scores; what knows the future is found, who was erased is nowhere."""

import contextlib
import dataclasses
import functools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from sandbox import crm as stand_in
from sandbox import home, postgres
from serving.predictions.model import FEATURES
from tests.conftest import PROJECT
from tests.kept_dbt import KeptDbt
from tests.project.conftest import Star

PYTHON = PROJECT / ".venv-predictions" / "bin" / "python"
CUSTOMER = 103


@dataclasses.dataclass
class Copy:
    """The star schema in a database of this file's, and a folder for models and whatever an erasure removes."""

    star: Star
    name: str
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        key = home.read_state()[postgres.NAME]["erasure_key"]
        own = {"PGDATABASE": self.name, "PYTHONPATH": str(PROJECT), "ERASURE_KEY": key}
        folders = {"DBT_TARGET_PATH": str(self.folder / "target"), "DBT_LOG_PATH": str(self.folder / "logs")}
        return self.star.environment | own | folders | {"DBT_RECORD_QUALITY": "false"}

    def run(self, python: Path | str, *words: str, code: int = 0, crm: str = "") -> str:
        done = subprocess.run(
            [python, "-m", *words], cwd=self.folder, env=self.environment | {"CRM_URL": crm, "CRM_PER_SECOND": "10000"},
            capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def train(self, code: int = 0) -> str:
        return self.run(PYTHON, "serving.predictions", "train", code=code)

    def predictions(self, *words: str, code: int = 0) -> str:
        return self.run(sys.executable, "serving.predictions", *words, code=code)

    @functools.cached_property
    def kept(self) -> KeptDbt:
        return KeptDbt(self.environment, self.folder / "target")

    def dbt(self, *words: str) -> None:
        done = self.kept("--quiet", *words)
        assert done.returncode == 0, done.stdout[-3000:]

    def query(self, *statements: str) -> list[tuple[Any, ...]]:
        names = ("host", "port", "user", "password")
        login: dict[str, Any] = {name: self.environment[f"PG{name.upper()}"] for name in names}
        login["dbname"] = self.environment["PGDATABASE"]
        connection = psycopg2.connect(**login)
        connection.autocommit = True
        with contextlib.closing(connection), connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []

    @property
    def models(self) -> Path:
        return self.folder / "reports" / "models"

    @property
    def current(self) -> Path:
        return self.models / (self.models / "current").read_text(encoding="utf-8")

    def files(self) -> dict[str, bytes]:
        return {str(path.relative_to(self.models)): path.read_bytes() for path in sorted(self.models.rglob("*.*"))}


@pytest.fixture(scope="module")
def copied(star: Star, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    if not PYTHON.exists():
        pytest.skip("scikit-learn is not installed here (make model installs it): the model was not trained")
    name = f"predictions_{os.getpid()}"
    admin = postgres.connect(home.read_state()[postgres.NAME], "postgres")
    admin.autocommit = True
    with admin.cursor() as cursor:
        cursor.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = 'warehouse'")
        cursor.execute(f"create database {name} owner elt template warehouse")
        cursor.execute(f"grant create on database {name} to transform")
    yield Copy(star, name, tmp_path_factory.mktemp("models"))
    with admin.cursor() as cursor:
        cursor.execute(f"drop database {name} with (force)")
    admin.close()


@pytest.fixture
def copy(copied: Copy) -> Copy:
    if not copied.models.exists():
        copied.train()
    return copied


def content(copy: Copy) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((copy.current / "model.json").read_text(encoding="utf-8"))
    return found


def test_the_same_rows_give_the_same_bytes(copy: Copy) -> None:
    first = copy.files()
    copy.train()
    assert copy.files() == first and len(first) == 3


def test_the_card_says_what_is_true_of_the_real_data(copy: Copy) -> None:
    said, card = content(copy), (copy.current / "card.md").read_text(encoding="utf-8")
    ((rows, customers, newest),) = copy.query(
        "select count(*), count(distinct customer_number), max(_loaded_at) from marts.ml_customer_features where is_label_known"
    )
    assert (said["rows"], said["customers"], said["landing"]) == (rows, customers, newest.isoformat(timespec="seconds"))
    assert f"{rows} rows of {customers} customers" in card and said["landing"] in card and said["code"] in card
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout
    assert commit.startswith(said["code"].split("-")[0])
    judged = said["judged"]
    low, high = judged["area_of_the_model"]
    assert (
        low < judged["area_under_the_curve"]["model"] < high and high - low > 0.05
    )  # little data, and the card says so
    assert "read the intervals" in card
    losses = judged["log_loss"]
    assert judged["is_better"] is (min(low for low, _ in judged["gain_in_log_loss"].values()) > 0)
    assert ("not surely better" in card) is not judged["is_better"]
    assert losses["model"] < min(losses["recency rule"], losses["last known rate"])
    assert sum(group[0] for group in judged["calibration"]) == judged["rows"]


def test_no_label_of_the_test_was_known_when_the_judged_model_learned(copy: Copy) -> None:
    """The baseline's losses, computed here in SQL, come out the same only on such a split."""
    days = content(copy)["judged"]["days"]
    ((rate, expected),) = copy.query(f"""
        with known as (
            select date_day, recency_days <= 90 as recent, bought_in_next_90_days as bought
            from marts.ml_customer_features join marts.dim_dates on date_key = as_of_date_key where is_label_known
        ),
        rule as (select recent, avg(bought::int) as rate from known where date_day + 90 < date '{days[0]}' group by recent)
        select count(*), avg(-ln(case when bought then rate else 1 - rate end))
        from known join rule using (recent) where date_day >= date '{days[0]}'""")
    assert content(copy)["judged"]["rows"] == rate
    assert content(copy)["judged"]["log_loss"]["recency rule"] == pytest.approx(float(expected), abs=1e-4)


def test_what_knows_the_future_is_found(copy: Copy) -> None:
    """A feature that holds the days to the next order is refused by its name, and nothing is written."""
    before, files = copy.query("select * from marts.ml_customer_features order by 2, 3"), copy.files()
    with_leak = """
        update marts.ml_customer_features as features set average_days_to_pay = coalesce((
            select min(order_date) - date_day from raw_classicmodels.orders
            where orders.customer_number = features.customer_number and order_date > date_day
        ), 9999) from marts.dim_dates where date_key = as_of_date_key"""
    copy.query("create table kept as select * from marts.ml_customer_features", with_leak)
    try:
        assert "average_days_to_pay alone tells who buys" in copy.train(code=1)
        assert copy.files() == files
    finally:
        copy.query(
            "truncate marts.ml_customer_features",
            "insert into marts.ml_customer_features select * from kept",
            "drop table kept",
        )
    assert copy.query("select * from marts.ml_customer_features order by 2, 3") == before


def test_features_of_a_month_that_knows_the_next_fail_a_test_of_dbt(copy: Copy) -> None:
    shifted = "order_count = order_count {} 1 where (customer_number, as_of_date_key) = (103, 20040930)"
    copy.query(f"update marts.ml_customer_features set {shifted.format('+')}")
    try:
        with pytest.raises(AssertionError, match="assert_features_are_of_their_day"):
            copy.dbt("test", "--select", "assert_features_are_of_their_day")
    finally:
        copy.query(f"update marts.ml_customer_features set {shifted.format('-')}")
    copy.dbt("test", "--select", "assert_features_are_of_their_day")


def test_features_are_named_and_none_is_personal(star: Star) -> None:
    """The lineage in dbt says what the model looks at, and nothing of it is a key, a label or personal."""
    mart = star.manifest["nodes"]["model.classicmodels.ml_customer_features"]["columns"]
    made_of = star.manifest["sources"]["source.classicmodels.predictions.scores"]["columns"]["repurchase_probability"]
    assert set(made_of["config"]["meta"]["made_of"]["ml_customer_features"]) == {*FEATURES, "as_of_date_key"}
    assert set(FEATURES) <= mart.keys() - {
        "customer_key",
        "customer_number",
        "is_label_known",
        "bought_in_next_90_days",
    }
    assert not [name for name in FEATURES if mart[name]["config"].get("meta", {}).get("pii")]


def test_scores_are_the_models_and_dbt_shows_them(copy: Copy) -> None:
    said = copy.predictions("score")
    assert re.search(r"^98 customers scored as of 2005-06-30", said)
    copy.dbt("build", "--select", "source:predictions+", "--exclude-resource-type", "unit_test")
    scores = copy.query("select customer_number, repurchase_probability, model_id from marts.ml_customer_scores")
    assert len(scores) == 98 and {model for _, _, model in scores} == {copy.current.name}
    ((number, probability, _), *_) = scores
    assert f"Customer {number}, 2005-06-30: {probability:.3f} (model" in copy.predictions("customer", str(number))
    assert 0.1 < float(sum(p for _, p, _ in scores)) / 98 < 0.6
    assert copy.query(
        "select count(*) from marts.fct_customer_segments where is_latest and repurchase_probability is null"
    ) == [(0,)]
    copy.query("update marts.ml_customer_features set tenure_days = 5 where as_of_date_key = 20050630")
    assert "warning: tenure_days has drifted" in copy.predictions("score")
    assert copy.query("select count(*) from predictions.scores") == [(98,)]
    assert "never ordered" in copy.predictions("customer", "125", code=1)


def test_a_changed_model_is_refused(copy: Copy) -> None:
    file = copy.current / "model.json"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('"seed": 1', '"seed": 2'), encoding="utf-8")
    try:
        assert "is not as it was written" in copy.predictions("score", code=1)
    finally:
        file.write_text(text, encoding="utf-8")


PLACES = (
    "marts.ml_customer_features",
    "marts.ml_customer_product_lines",
    "marts.ml_customer_scores",
    "marts.fct_customer_segments",
    "predictions.scores",
)


def test_an_erased_customer_is_in_no_features_training_list_predictions_or_crm(copy: Copy, tmp_path: Path) -> None:
    """The last test of the file: it erases."""

    def found() -> list[bool]:
        return [
            copy.query(f"select count(*) from {place} where customer_number = {CUSTOMER}") != [(0,)] for place in PLACES
        ]

    def trained_on() -> list[str]:
        return (copy.current / "customers.txt").read_text(encoding="utf-8").split()

    copy.predictions("score")
    copy.dbt("build", "--select", "source:predictions+", "--exclude-resource-type", "unit_test", "test")
    with stand_in.running(tmp_path / "crm.sqlite") as crm:
        assert "98 changes are in the CRM" in copy.run(sys.executable, "serving.activation", crm=crm.url)
        assert found() == [True] * 5 and str(CUSTOMER) in trained_on() and CUSTOMER in crm.customers()
        kept = copy.files()

        erased = copy.run(sys.executable, "privacy", "erase", "customer", str(CUSTOMER))
        assert all(re.search(rf"^{place} +[\d,]+ rows$", erased, re.MULTILINE) for place in PLACES), erased
        assert found() == [False] * 5 and not copy.models.exists()
        assert "There is no model" in copy.predictions("score", code=1)
        assert "1 removals among them" in copy.run(sys.executable, "serving.activation", crm=crm.url)
        assert CUSTOMER not in crm.customers() and len(crm.customers()) == 97

        copy.dbt(
            "build",
            "--select",
            "ml_customer_features+",
            "ml_customer_product_lines",
            "--exclude-resource-type",
            "unit_test",
        )
        for name, file in kept.items():  # a model that another machine still has
            (copy.models / name).parent.mkdir(parents=True, exist_ok=True)
            (copy.models / name).write_bytes(file)
        (copy.models / "current").write_text(next(iter(kept)).split("/")[0], encoding="utf-8")
        assert "has learned from 1 customers who are not in the features any more" in copy.predictions("score", code=1)
        copy.train()
        copy.predictions("score")
        copy.dbt("build", "--select", "source:predictions+", "--exclude-resource-type", "unit_test")
        copy.run(sys.executable, "serving.activation", crm=crm.url)
        assert found() == [False] * 5 and str(CUSTOMER) not in trained_on() and len(trained_on()) == 97
        assert CUSTOMER not in crm.customers() and len(crm.customers()) == 97
