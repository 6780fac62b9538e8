"""Whatever fails on the way, the CRM ends with what the warehouse says of each customer, and each change took effect once."""

import contextlib
import dataclasses
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from sandbox import crm as stand_in
from sandbox import home, postgres
from serving.activation.push import ActivationError, Crm, CrmAway, push
from tests import SEED
from tests.conftest import PROJECT, Servers

Fields = dict[str, Any]
_names = itertools.count()
SEGMENTS = ("champion", "loyal", "at risk", "dormant", "new", "regular")
REFUSED = 11
"""Every customer whose number it divides is refused: its flag is empty, which the CRM does not take."""


@dataclasses.dataclass
class Shop:
    """A warehouse with nothing but segments, and a CRM that makes what trouble a test wants."""

    environment: dict[str, str]
    crm: stand_in.Crm
    own: Any = None
    """A connection of the test's."""
    wanted: dict[int, Fields] = dataclasses.field(default_factory=dict)
    changes: Counter[int] = dataclasses.field(default_factory=Counter)
    """How often each customer was changed: so many effects there should be."""
    requests: int = 0
    trouble: Callable[[stand_in.Handler, str], bool] = lambda handler, when: False

    def connect(self) -> Any:
        names = ("host", "port", "user", "password")
        login: dict[str, Any] = {name: self.environment[f"PG{name.upper()}"] for name in names}
        login["dbname"] = self.environment["PGDATABASE"]
        connection = psycopg2.connect(**login)
        connection.autocommit = True
        return connection

    def query(self, *statements: str) -> list[tuple[Any, ...]]:
        with self.own.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []

    def set(self, number: int, fields: Fields | None) -> None:
        if self.wanted.get(number) == fields:
            return
        self.changes[number] += 1
        self.wanted.pop(number, None)
        statements = [f"delete from marts.fct_customer_segments where customer_number = {number}"]
        if fields is not None:
            self.wanted[number] = fields
            flag = "null" if number % REFUSED == 0 else fields["is_over_limit"]
            chance = fields["repurchase_probability"]
            overdue = 5 if fields["is_overdue"] else 0
            statements += [
                "insert into marts.fct_customer_segments values"
                f" ({number}, '2026-01-01', '{fields['segment']}', {fields['value_score']}, {flag}, {overdue},"
                f" {'null' if chance is None else chance}, true), ({number}, '2026-01-01', 'old', 1, true, 0, 0, false)"
            ]
        self.query(*statements)

    def push(self, **options: Any) -> str:
        crm = Crm(self.crm.url, per_second=1e6, pause=0.001, timeout=0.3)
        with contextlib.closing(self.connect()) as connection:
            return push(connection, crm, **options)

    def cli(self, *words: str, **environment: str) -> "subprocess.Popen[str]":
        own = {"CRM_URL": self.crm.url, "CRM_PER_SECOND": "100000", "CRM_RETRY_SECONDS": "0.01"}
        return subprocess.Popen(
            [sys.executable, "-m", "serving.activation", *words], cwd=PROJECT, text=True,
            env=os.environ | self.environment | own | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def taken(self) -> dict[int, Fields]:
        """What the CRM should have: the rows that it does not refuse."""
        return {number: fields for number, fields in self.wanted.items() if number % REFUSED}

    def effects(self) -> dict[int, int]:
        return dict(self.crm.state.execute("select number, count(*) from answers group by number").fetchall())


@pytest.fixture
def shop(servers: Servers, tmp_path: Path) -> Iterator[Shop]:
    name = f"activation_{os.getpid()}_{next(_names)}"
    admin = postgres.connect(home.read_state()[postgres.NAME], "postgres")
    admin.autocommit = True
    with admin.cursor() as cursor:
        cursor.execute(f"create database {name} owner elt")
    environment = servers.environment | {"PGDATABASE": name, "DBT_USER": ""}

    made: list[Shop] = []

    def counted(handler: stand_in.Handler, when: str) -> bool:
        made[0].requests += when == "before"
        return made[0].trouble(handler, when)

    with stand_in.running(tmp_path / "crm.sqlite", counted) as crm:
        made.append(Shop(environment, crm))
        made[0].own = made[0].connect()
        made[0].query(
            "create schema marts",
            "create table marts.fct_customer_segments (customer_number integer, _loaded_at timestamp, segment text,"
            " value_score integer, is_over_limit boolean, overdue_amount numeric(18, 2),"
            " repurchase_probability numeric(7, 6), is_latest boolean)",
        )
        yield made[0]
        made[0].own.close()
    with admin.cursor() as cursor:
        cursor.execute(f"drop database {name} with (force)")
    admin.close()


def some_fields(rnd: random.Random) -> Fields:
    return {
        "segment": rnd.choice(SEGMENTS),
        "value_score": rnd.randint(1, 5),
        "repurchase_probability": rnd.choice([None, round(rnd.random(), 2)]),
        "is_over_limit": rnd.random() < 0.5,
        "is_overdue": rnd.random() < 0.5,
    }


def no_answer(handler: stand_in.Handler) -> bool:
    """The client waits until its own time is over."""
    time.sleep(0.4)
    handler.close_connection = True
    return True


def cut(handler: stand_in.Handler) -> bool:
    handler.close_connection = True
    return True


def answered(handler: stand_in.Handler, status: int, **headers: str) -> bool:
    handler.answer(status, **headers)
    return True


def troubled(rnd: random.Random) -> Callable[[stand_in.Handler, str], bool]:
    def trouble(handler: stand_in.Handler, when: str) -> bool:
        drawn = rnd.random()
        if when == "before":
            return drawn < 0.15 and answered(
                handler, 503 if drawn < 0.1 else 429, **({"Retry_After": "0"} if drawn > 0.12 else {})
            )
        return (
            no_answer(handler)
            if drawn < 0.01
            else cut(handler)
            if drawn < 0.06
            else drawn < 0.1 and answered(handler, 500)
        )

    return trouble


def test_the_crm_equals_the_segments_after_a_thousand_pushes_with_faults(shop: Shop) -> None:
    rnd = random.Random(SEED)
    shop.trouble = troubled(rnd)
    for turn in range(4):
        for number in range(1, 401):
            if turn == 0 or rnd.random() < 0.55:
                shop.set(number, None if turn and rnd.random() < 0.2 else some_fields(rnd))
        assert shop.push().splitlines()[0].endswith("among them.")
        assert shop.crm.customers() == shop.taken()
    assert sum(shop.changes.values()) > 1000 < shop.requests
    assert shop.effects() == dict(shop.changes)
    refused = shop.query("select customer_number, reason from activation.rejects order by 1")
    assert refused == [(number, "put: HTTP 422") for number in sorted(shop.wanted) if number % REFUSED == 0] != []
    audit = shop.query(
        "select customer_number, count(*), count(distinct idempotency_key) from activation.audit group by 1"
    )
    assert {number: (count, keys) for number, count, keys in audit} == {n: (c, c) for n, c in shop.changes.items()}
    assert shop.query("select count(*) from activation.audit where action = 'put' and loaded_at is null") == [(0,)]
    before = shop.requests
    shop.trouble = lambda handler, when: False
    assert "0 changes" in shop.push() and shop.requests == before


SLEEPS = """
    create function {table}_sleeps() returns trigger language plpgsql as $$
    begin
        perform pg_sleep(case when new.customer_number = 7 then 60 else 0 end);
        return new;
    end $$;
    create trigger sleeps before insert on activation.{table} for each row execute function {table}_sleeps()"""
STEPS = ("while the work is written down", "before a request", "after its effect", "before its answer is written down")


@pytest.mark.parametrize("step", STEPS)
def test_a_run_that_is_killed_is_finished_by_the_next(step: str, shop: Shop) -> None:
    rnd = random.Random(SEED)
    shop.push()  # makes the tables
    for number in range(1, 21):
        shop.set(number, some_fields(rnd))
    sleeping = {STEPS[0]: "customers", STEPS[3]: "audit"}.get(step)
    if sleeping:
        shop.query(SLEEPS.format(table=sleeping))

    def kill(handler: stand_in.Handler, when: str) -> bool:
        if (
            process.returncode is None
            and handler.path.endswith("/7")
            and when == {STEPS[1]: "before", STEPS[2]: "after"}.get(step)
        ):
            process.kill()
            process.wait(30)
            return cut(handler)
        return False

    shop.trouble = kill
    process = shop.cli()
    if sleeping:
        asleep = "select pid from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'"
        for _ in range(600):
            if shop.query(asleep):
                break
            time.sleep(0.05)
        process.kill()
        shop.query(f"select pg_terminate_backend(pid) from ({asleep}) as sleeping")
        shop.query(f"drop function {sleeping}_sleeps cascade")
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    done = shop.effects()
    assert len(done) == {STEPS[0]: 0, STEPS[1]: 6, STEPS[2]: 7, STEPS[3]: 7}[step]
    for _ in range(100):  # the server has not heard of the end yet
        try:
            shop.push()
            break
        except ActivationError as error:
            assert "Another push" in str(error)
            time.sleep(0.1)
    assert shop.crm.customers() == shop.taken()
    assert shop.effects() == dict(shop.changes) and set(shop.changes.values()) == {1}


def test_a_change_that_is_taken_back_before_its_answer_is_known_is_taken_back_in_the_crm(shop: Shop) -> None:
    first, second = (some_fields(random.Random(seed)) for seed in (1, 2))
    shop.set(5, first)
    shop.push()
    shop.set(5, second)
    shop.trouble = lambda handler, when: when == "after" and cut(handler)
    with pytest.raises(CrmAway):
        shop.push()
    assert shop.crm.customers() == {5: second}
    shop.trouble = lambda handler, when: False
    shop.set(5, first)
    shop.push()
    assert shop.crm.customers() == {5: first}


def test_a_refused_row_waits_for_a_change_or_for_somebody(shop: Shop) -> None:
    for number in (REFUSED, 12):
        shop.set(number, some_fields(random.Random(number)))
    process = shop.cli()
    assert process.communicate(timeout=60)[0].splitlines()[1] == "refused, in activation.rejects: 1 rows, put: HTTP 422"
    assert process.returncode == 1 and shop.crm.customers() == shop.taken()
    before = shop.requests
    assert "refused" in shop.push() and shop.requests == before
    shop.push(again=True)
    assert shop.requests == before + 1
    shop.query("update marts.fct_customer_segments set is_over_limit = true")
    assert "refused" not in shop.push()
    assert shop.crm.customers()[REFUSED]["is_over_limit"] is True


def test_a_dry_run_shows_the_difference_and_sends_nothing(shop: Shop) -> None:
    fields = some_fields(random.Random(1)) | {"segment": "loyal"}
    for number in (5, 6):
        shop.set(number, fields)
    shop.push()
    shop.set(5, fields | {"segment": "dormant"})
    shop.set(6, None)
    shop.set(8, fields)
    before = shop.requests
    process = shop.cli("--dry-run")
    lines = process.communicate(timeout=60)[0].splitlines()
    assert [line.split() for line in lines[:2]] == [["6", "removed"], ["5", "segment", "loyal", "->", "dormant"]]
    assert "segment - -> loyal" in lines[2] and lines[3] == "3 changes, 1 removals among them. Nothing was sent."
    assert shop.requests == before and shop.crm.customers()[5]["segment"] == "loyal"
    assert shop.query("select distinct state from activation.customers") == [("done",)]


def test_what_would_empty_the_crm_is_asked_for_first(shop: Shop) -> None:
    for number in range(1, 31):
        shop.set(number, some_fields(random.Random(number)))
    shop.push()
    for number in range(1, 21):
        shop.set(number, None)
    with pytest.raises(ActivationError, match="20 of 30 customers would be removed"):
        shop.push()
    assert len(shop.crm.customers()) == 28
    shop.push(allow_removals=True)
    assert shop.crm.customers() == shop.taken()
    assert shop.query("select count(*) from activation.audit where customer_number < 21 and fields is not null") == [
        (0,)
    ]


def test_the_rate_and_the_crms_own_wish_are_kept(shop: Shop) -> None:
    for number in range(1, 9):
        shop.set(number, some_fields(random.Random(number)))
    asked = iter([True])
    shop.trouble = lambda handler, when: next(asked, False) and answered(handler, 429, Retry_After="1")
    started = time.monotonic()
    with contextlib.closing(shop.connect()) as connection:
        push(connection, Crm(shop.crm.url, per_second=20, pause=0.001))
    assert 1 + 7 / 20 <= time.monotonic() - started < 10
    assert shop.crm.customers() == shop.taken()


@pytest.mark.parametrize(
    ("code", "said", "environment"),
    [
        (3, "gave no answer in 6 tries", {"CRM_URL": "http://127.0.0.1:9"}),
        (3, "refuses the login (HTTP 401)", {}),
        (2, "CRM_URL must be https", {"CRM_URL": "http://crm.example"}),
        (2, "CRM_URL must be https", {"CRM_URL": "file:///etc"}),
    ],
)
def test_what_stops_a_push_is_said(code: int, said: str, environment: dict[str, str], shop: Shop) -> None:
    shop.set(5, some_fields(random.Random(1)))
    shop.trouble = lambda handler, when: answered(handler, 401)
    process = shop.cli(**environment)
    _, message = process.communicate(timeout=60)
    assert process.returncode == code and said in message and "Traceback" not in message
    assert shop.crm.customers() == {}


def test_the_token_is_sent_and_said_nowhere(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("a token of this test\n", encoding="utf-8")
    shop.set(5, some_fields(random.Random(1)))
    seen = []

    def note(handler: stand_in.Handler, when: str) -> bool:
        seen.append(handler.headers["Authorization"])
        return False

    shop.trouble = note
    process = shop.cli(CRM_TOKEN_FILE=str(tmp_path / "token"))
    assert "a token" not in json.dumps(process.communicate(timeout=60)) and process.returncode == 0
    assert set(seen) == {"Bearer a token of this test"}
