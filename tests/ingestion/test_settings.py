"""What the environment may ask for, and what it is told when it asks wrongly."""

import hashlib
from pathlib import Path

import pytest
import yaml

from landing.settings import SettingsError, from_environment
from tests.conftest import PROJECT, Lane

ENOUGH = {
    "MYSQL_HOST": "127.0.0.1",
    "MYSQL_USER": "reader",
    "MYSQL_PASSWORD": "secret",
    "MYSQL_DATABASE": "Web Shop",
    "PGHOST": "127.0.0.1",
    "PGUSER": "owner",
    "PGPASSWORD": "secret",
    "PGDATABASE": "warehouse",
}


def test_schemas_are_named_after_the_database() -> None:
    settings = from_environment(ENOUGH)
    assert (settings.raw_schema, settings.arrival_schema) == ("raw_web_shop", "landing_web_shop")


@pytest.mark.parametrize("name", [name for name in ENOUGH if "PASSWORD" not in name])
def test_what_is_missing_is_named(name: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name} is not set"):
        from_environment(ENOUGH | {name: " "})


REDSHIFT = {
    "DBT_TARGET": "redshift",
    "REDSHIFT_HOST": "localhost",
    "REDSHIFT_USER": "dbt",
    "REDSHIFT_PASSWORD": "secret",
    "REDSHIFT_DATABASE": "dev",
    "REDSHIFT_STAGING_URL": "s3://bucket/a/b/",
    "REDSHIFT_COPY_ROLE": "arn:aws:iam::123456789012:role/copy",
}


def test_a_landing_for_redshift_has_its_own_server_always_over_verified_tls() -> None:
    settings = from_environment(ENOUGH | REDSHIFT)
    assert (settings.login["host"], settings.login["port"]) == ("localhost", "5439")
    assert settings.login["user"] == "dbt" and settings.login["sslmode"] == "verify-full"
    assert settings.bucket and (settings.bucket.name, settings.bucket.prefix) == ("bucket", "a/b/")


WRONG_FOR_REDSHIFT = {
    "REDSHIFT_HOST": ("", "REDSHIFT_HOST is not set"),
    "REDSHIFT_STAGING_URL": ("https://bucket", "REDSHIFT_STAGING_URL is not like s3://bucket/folder"),
    "REDSHIFT_COPY_ROLE": ("copy' --", "REDSHIFT_COPY_ROLE is not the ARN of a role"),
    "REDSHIFT_REGION": ("eu'", "REDSHIFT_REGION is not a region"),
    "REDSHIFT_METHOD": ("iam", "by user and password"),
    "ERASURE_KEY": ("key", "Postgres only"),
}


@pytest.mark.parametrize("name", WRONG_FOR_REDSHIFT)
def test_what_is_wrong_for_redshift_is_named(name: str) -> None:
    value, message = WRONG_FOR_REDSHIFT[name]
    with pytest.raises(SettingsError, match=message):
        from_environment(ENOUGH | REDSHIFT | {name: value})


WRONG = {
    "MYSQL_PORT": ("many", "MYSQL_PORT must be a whole number"),
    "PGPORT": ("70000", "PGPORT must be a whole number from 1 to 65535"),
    "DBT_TARGET": ("foo", "DBT_TARGET or TARGET is one of local, postgres, dev, redshift"),
    "DBT_ROLES": ("yes", "DBT_ROLES is either true or false, in small letters"),
    "DBT_PASSWORD": ("x", "DBT_PASSWORD is set, and DBT_USER is not"),
    "INGEST_PASSWORD": ("x", "INGEST_PASSWORD is set, and INGEST_USER is not"),
    "INGEST_CHUNK_ROWS": ("0", "INGEST_CHUNK_ROWS must be a whole number from 1 to"),
    "INGEST_FULL_EVERY_HOURS": (f"{10**40}", "INGEST_FULL_EVERY_HOURS must be a whole number from 0 to"),
    "INGEST_LOCK_WAIT_SECONDS": ("9999999", "INGEST_LOCK_WAIT_SECONDS must be a whole number from 0 to 2000000"),
    "MYSQL_SSL_CA": ("/nowhere/ca.pem", "MYSQL_SSL_CA=/nowhere/ca.pem: No such file"),
    "INGEST_ROWS_PER_SECOND": ("-5", "INGEST_ROWS_PER_SECOND must be a whole number"),
    "INGEST_VIEWS": ("perhaps", "INGEST_VIEWS is either true or false"),
    "INGEST_EXCLUDE_COLUMNS": ("phone", "'phone' names no column; write table.column"),
    "INGEST_INCREMENTAL": (".updated_at", "'.updated_at' names no column"),
    "INGEST_HASH_COLUMNS": ("customers.email", "INGEST_HASH_COLUMNS needs a secret in INGEST_HASH_KEY"),
    "AS_OF": ("yesterday", "AS_OF=yesterday is not an ISO date or time"),
    "MYSQL_SSL_MODE": ("maybe", "MYSQL_SSL_MODE is either verify or disabled"),
    "MYSQL_PASSWORD_FILE": ("/nowhere/password", "MYSQL_PASSWORD_FILE=/nowhere/password: No such file"),
    "PGPASSWORD_FILE": ("/", "PGPASSWORD_FILE=/: Is a directory"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named(name: str) -> None:
    value, message = WRONG[name]
    with pytest.raises(SettingsError, match=message):
        from_environment(ENOUGH | {name: value})


def test_the_targets_are_those_of_the_profile() -> None:
    profile = yaml.safe_load((PROJECT / "profiles" / "profiles.yml").read_text(encoding="utf-8"))
    for target in profile["classicmodels"]["outputs"]:
        from_environment(ENOUGH | (REDSHIFT if target == "redshift" else {"DBT_TARGET": target}))
    with pytest.raises(SettingsError, match=f"is one of {', '.join(profile['classicmodels']['outputs'])}. Nothing"):
        from_environment(ENOUGH | {"DBT_TARGET": "foo"})


def test_the_landing_may_have_a_login_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("of ingest\n", encoding="utf-8")
    own = {"INGEST_USER": "ingest", "INGEST_PASSWORD_FILE": str(tmp_path / "password")}
    for environment in (ENOUGH | own, {name: ENOUGH[name] for name in ENOUGH if name != "PGUSER"} | own):
        login = from_environment(environment).login
        assert (login["user"], login["password"]) == ("ingest", "of ingest")


def test_secrets_may_be_in_files(tmp_path: Path) -> None:
    files = {}
    for name in ("MYSQL_PASSWORD", "PGPASSWORD", "INGEST_HASH_KEY"):
        file = tmp_path / name
        file.write_text(f"of {name} \n", encoding="utf-8")
        files[f"{name}_FILE"] = str(file)
    settings = from_environment(ENOUGH | files)
    assert settings.mysql["password"] == b"of MYSQL_PASSWORD "
    assert settings.login["password"] == "of PGPASSWORD "
    assert settings.hash_key == "of INGEST_HASH_KEY "


def test_no_secret_is_shown() -> None:
    assert "secret" not in repr(from_environment(ENOUGH | {"INGEST_HASH_KEY": "secret"}))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_tls_is_left_out_on_this_machine_only(host: str) -> None:
    here = from_environment(ENOUGH | {"MYSQL_HOST": host, "PGHOST": host})
    assert here.mysql["ssl"] is None and "sslmode" not in here.login
    there = from_environment(ENOUGH | {"MYSQL_HOST": "db.example.com", "PGHOST": "db.example.com"})
    assert there.mysql["ssl"].check_hostname and there.login["sslmode"] == "verify-full"


def test_command_line_goes_before_the_environment() -> None:
    settings = from_environment(ENOUGH | {"INGEST_TABLES": "a*, b"}, include=("c",))
    assert settings.include == ("c",)
    settings = from_environment(ENOUGH | {"INGEST_TABLES": "a*, b", "INGEST_EXCLUDE_TABLES": "ab*"}, include=None)
    assert [settings.wants(name) for name in ("a", "aa", "ab", "abc", "b", "c")] == [
        True,
        True,
        False,
        False,
        True,
        False,
    ]


@pytest.fixture
def people(lane: Lane) -> Lane:
    lane.execute(
        "create table people (id int primary key, email varchar(60), phone varchar(20), born date)",
        "insert into people values (1, 'ann@example.com', '555-1', '1990-01-02'), (2, null, '555-2', null),"
        " (3, '', '555-3', '1991-01-02')",
        "create table orders (id int primary key)",
        "create table orders_backup (id int primary key)",
        "create view everybody as select * from people",
    )
    return lane


def test_patterns_choose_tables(people: Lane) -> None:
    people.land({"INGEST_EXCLUDE_TABLES": "*_backup"})
    assert _tables(people) == ["orders", "people"]
    people.land({"INGEST_VIEWS": "true", "INGEST_TABLES": "every*"})
    assert _tables(people) == ["everybody", "orders", "people"]


def _tables(lane: Lane) -> list[str]:
    rows = lane.warehouse("select tablename from pg_tables where schemaname = '{raw}' and tablename !~ '^_' order by 1")
    return [name for (name,) in rows]


def test_columns_are_left_out_or_hashed(people: Lane) -> None:
    settings = {
        "INGEST_EXCLUDE_COLUMNS": "people.phone",
        "INGEST_HASH_COLUMNS": "people.email,*.born",
        "INGEST_HASH_KEY": "it's a k\\y",
    }
    people.land(settings)

    def digest(value: str) -> str:
        return hashlib.sha256(("it's a k\\y" + value).encode()).hexdigest()

    assert people.warehouse("select id, email, born from {raw}.people order by id") == [
        (1, digest("ann@example.com"), digest("1990-01-02")),
        (2, None, None),
        (3, digest(""), digest("1991-01-02")),
    ]
    ((whole,),) = people.warehouse("select string_agg(p::text, ' ') from {raw}.people p")
    assert "example.com" not in whole and "555" not in whole
    (report,) = [table for table in people.land(settings).tables if table.table == "people"]
    assert report.status == "unchanged"


@pytest.mark.parametrize("pattern", ["people.emial", "peolpe.email", "people.Email", "customers.*"])
@pytest.mark.parametrize("name", ["INGEST_HASH_COLUMNS", "INGEST_EXCLUDE_COLUMNS", "INGEST_INCREMENTAL"])
def test_a_pattern_that_fits_nothing_lands_nothing_in_clear(people: Lane, name: str, pattern: str) -> None:
    with pytest.raises(SettingsError, match=f"{name}: {pattern.replace('*', '.')} fits nothing"):
        people.land({name: pattern, "INGEST_HASH_KEY": "k"})
    assert _tables(people) == []


@pytest.mark.parametrize("name", ["INGEST_HASH_COLUMN", "INGEST_EXCLUDED_COLUMNS"])
def test_a_setting_that_does_not_exist_lands_nothing(people: Lane, name: str) -> None:
    with pytest.raises(SettingsError, match=f"There is no setting {name}; .env.example has all. Nothing was read."):
        people.land({name: "people.email"})
    assert people.warehouse("select to_regnamespace('{raw}')") == [(None,)]
