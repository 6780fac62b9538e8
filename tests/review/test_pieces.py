"""What the review is made of, one promise each."""

import itertools
import re
import subprocess
from pathlib import Path

import pytest

from checks.changed import LintFinding
from privacy import ErasureError, plan
from review import changes, document, merge, report
from review.compare import Comparison
from review.dbt import Manifest, NodeResult, forget
from review.document import Block, FoldBlock, HeadingBlock, TableBlock, TextBlock, code
from review.report import clearly_slower, safe_message
from tests.conftest import Servers
from tests.review.conftest import Clone

# SQL


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("select 1 -- it's one\n", "select 1"),
        ("select /* a\nb */ 1", "select\n    1"),
        ("{# note #}\nselect '-- no comment'", "select '-- no comment'"),
        ("select 'it''s' -- x", "select 'it''s'"),
    ],
)
def test_comments_and_layout_do_not_count(one: str, other: str) -> None:
    assert changes.bare(one) == changes.bare(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("select '-- a'", "select '-- b'"),
        ("select 'a  b'", "select 'a b'"),
        ('select "a--b"', 'select "a--c"'),
        ("select 1 -- x\n, 2", "select 1 -- x , 2"),
        ("select ab", "select a b"),
    ],
)
def test_what_a_text_in_quotes_holds_counts(one: str, other: str) -> None:
    assert changes.bare(one) != changes.bare(other)


# contracts


def project(**columns: str) -> Manifest:
    """A manifest with one mart under contract."""
    named = {
        name: {
            "name": name,
            "data_type": type_,
            "constraints": [{"type": "not_null"}],
            "description": "",
            "meta": {},
            "tags": [],
        }
        for name, type_ in columns.items()
    }
    node = {
        "resource_type": "model",
        "name": "mart",
        "config": {"contract": {"enforced": True}, "materialized": "table"},
        "columns": named,
        "relation_name": '"db"."marts"."mart"',
        "depends_on": {"nodes": [], "macros": []},
        "raw_code": "select 1",
        "description": "",
    }
    return {"nodes": {"model.p.mart": node}, "sources": {}, "macros": {}, "child_map": {}, "unit_tests": {}}


def breaks(base: Manifest, head: Manifest) -> list[str]:
    return [f"{item.column} {item.what}".strip() for item in changes.contract_breaks(base, head)]


def test_contracts_break_by_removal_type_and_constraint() -> None:
    base = project(a="integer", b="numeric(18, 2)")
    assert breaks(base, project(a="INTEGER", b="numeric(18,2)", c="text")) == []
    assert breaks(base, project(b="numeric(18, 4)")) == ["a removed", "b retyped from numeric(18, 2) to numeric(18, 4)"]
    loose = project(a="integer", b="numeric(18, 2)")
    loose["nodes"]["model.p.mart"]["columns"]["a"]["constraints"] = []
    assert breaks(base, loose) == ["a constraint not_null dropped"]
    free = project(a="integer", b="numeric(18, 2)")
    free["nodes"]["model.p.mart"]["config"]["contract"]["enforced"] = False
    assert breaks(base, free) == ["no longer under contract"]
    assert breaks(base, base | {"nodes": {}}) == ["the model is gone"]
    versioned = base["nodes"]["model.p.mart"] | {"version": 1}
    assert breaks(base, base | {"nodes": {"model.p.mart.v1": versioned}}) == []
    moved = versioned | {"relation_name": '"db"."marts"."mart_v1"'}
    assert breaks(base, base | {"nodes": {"model.p.mart.v1": moved}}) == ["the model is gone"]


def test_a_description_is_text_and_a_type_is_a_change() -> None:
    base, described, retyped = project(a="integer"), project(a="integer"), project(a="bigint")
    described["nodes"]["model.p.mart"]["columns"]["a"]["description"] = "A."
    assert changes.compare(base, described).text_only == ["model.p.mart"]
    assert changes.compare(base, retyped).changed == {"model.p.mart": ["contract"]}
    assert changes.compare(base, base).affected == []


# comparison


def test_rows_are_compared_by_key(servers: Servers) -> None:
    connection = servers.postgres()
    with connection.cursor() as cursor:
        cursor.execute("""
            create temp table one ("k" int, "l" text, "same" int, "gone" text, "mail" text, "net_amount" numeric, "n" int);
            create temp table two ("k" bigint, "l" text, "same" int, "mail" text, "new" text, "net_amount" numeric, "n" int);
            insert into one values (1, null, 1, 'x', 'ann@example.org', 1.5, null), (2, '', 1, 'y', 'bob@example.org', 2, 1),
                (3, 'a', 1, 'z', null, 3, 1);
            insert into two values (1, null, 1, 'amy@example.org', 'x', 1.50, 7), (2, '', 1, 'bob@example.org', 'y', 2, 1),
                (4, 'a', 1, null, 'z', 4, 1);""")
    difference = Comparison(connection, {"mail"}).compare("one", "two", [("n",), ("k", "l")])
    assert difference.rows == (3, 3)
    assert (difference.added, difference.removed, difference.changed) == (1, 1, 1)
    assert difference.key == ("k", "l"), "n does not tell the rows apart"
    assert {name: change.values for name, change in difference.columns.items()} == {"mail": 1, "n": 1}
    assert difference.columns["mail"].examples == [("1 / null", "a***", "a***")]
    assert difference.columns["n"].examples == [("1 / null", "null", "7")]
    assert difference.renamed == {"gone": "new"}
    assert difference.retyped == {"k": ("integer", "bigint")}
    assert {name: str(new - old) for name, (old, new) in difference.sums.items()} == {"net_amount": "1.00"}
    assert (difference.added_examples, difference.removed_examples) == (["4 / a"], ["3 / a"])
    connection.close()


def test_rows_without_a_key_are_counted_whole(servers: Servers) -> None:
    connection = servers.postgres()
    with connection.cursor() as cursor:
        cursor.execute("""
            create temp table one as select * from (values (1, 'a'), (1, 'a'), (2, null)) as t ("k", "l");
            create temp table two as select * from (values (1, 'a'), (2, null), (2, 'b')) as t ("k", "l");""")
    difference = Comparison(connection, ()).compare("one", "two", [("k",)])
    assert difference.key == ()
    assert (difference.added, difference.removed) == (1, 1)
    assert "k should tell rows apart; rows beyond the first of their key: 1 before, 1 after" in difference.key_note
    connection.close()


def test_a_changed_column_has_a_profile_of_both_sides(servers: Servers) -> None:
    """Eight steps of ten numbers each: afterwards four steps have ten of them, and the last has forty times the largest."""
    connection = servers.postgres()
    with connection.cursor() as cursor:
        cursor.execute("""
            create temp table one as select k, k::numeric(9, 2) as net_amount, date '2024-01-01' + k as day, 'ann' as mail,
                'same' as word, 0 as zero, 1 as age from generate_series(1, 80) as k;
            create temp table two as select k, case when k <= 40 then k else 80 end as net_amount,
                case when k > 20 then date '2024-01-01' + k end as day, 'bob' as mail, 'other' as word,
                case when k = 1 then 'NaN'::float8 else 0 end as zero, k % 2 as age from one;""")
    profiles = Comparison(connection, {"mail", "age"}).compare("one", "two", [("k",)]).profiles
    assert profiles == {
        "net_amount": (("0 %", "80", "1.00", "80.00", "▂" * 8), ("0 %", "41", "1", "80", "▂▂▂▂···█")),
        "day": (
            ("0 %", "80", "2024-01-02", "2024-03-21", "█" * 8),
            ("25 %", "60", "2024-01-22", "2024-03-21", "··██████"),
        ),
        "mail": (("0 %", "1", "a***", "a***", ""), ("0 %", "1", "b***", "b***", "")),
        "age": (("0 %", "1", "1***", "1***", ""), ("0 %", "2", "0***", "1***", "")),
        "word": (("0 %", "1", "same", "same", ""), ("0 %", "1", "other", "other", "")),
        "zero": (("0 %", "1", "0", "0", "█·······"), ("0 %", "2", "0", "NaN", "█·······")),
    }
    connection.close()


def test_what_the_base_does_not_build_is_not_called_the_same() -> None:
    outcomes = [NodeResult(status, 0, "", "") for status in ("success", "error")]
    found = report.Review("", "", "", head={"nodes": {}})
    found.changes.affected.append("model.p.m")
    ways = []
    for old, new in itertools.product(outcomes, outcomes):
        found.before, found.after = {"model.p.m": old}, {"model.p.m": new}
        ways.append(report.verdict(found))
    assert ways == [
        ["No change in data."],
        ["1 model no longer built."],
        ["Nothing is known of the data in `m`: the base does not build it."],
        ["Nothing is known of the data in `m`: the base does not build it."],
    ]


def test_noise_is_not_slower() -> None:
    assert not clearly_slower(0.01, 0.4)
    assert not clearly_slower(10, 12)
    assert clearly_slower(1, 2)
    assert not clearly_slower(None, 5)


def test_a_message_carries_no_values_of_rows() -> None:
    message = (
        'Database Error in model a (models/a.sql)\n  null value in column "k" of relation "a" violates not-null constraint\n'
        "  DETAIL:  Failing row contains (null, Ann\n Smith).\n  compiled code at target/run/a.sql"
    )
    assert (
        safe_message(NodeResult("error", 0, message, ""))
        == 'null value in column "k" of relation "a" violates not-null constraint'
    )
    refused = 'invalid input syntax for type integer: "Ann\nSmith"'
    assert safe_message(NodeResult("error", 0, refused, "")) == "invalid input syntax for type integer: …"


# what lineage cannot read


@pytest.mark.parametrize(
    ("sql", "stops"),
    [
        ("with recursive r (n) as (select 1 union all select n + 1 from r where n < 3) select n from r", False),
        (
            "select id from (select id, count(id) as n from raw.people group by id) as p join raw.places using (id)",
            False,
        ),
        ("select id, name from raw.people join raw.places using (id)", True),
        ("select * from raw.people join raw.places using (id)", True),
    ],
)
def test_an_unread_model_stops_an_erasure_only_if_it_names_personal_data(sql: str, stops: bool) -> None:
    def source(table: str, **meta: dict[str, str]) -> Manifest:
        columns = {column: {"name": column, "config": {"meta": said}} for column, said in meta.items()}
        about = {"schema": "raw", "resource_type": "source", "unique_id": f"source.p.{table}"}
        return about | {"name": table, "identifier": table, "columns": columns}

    sources = [source("people", id={"subject": "person"}, name={"pii": "direct"}), source("places", id={})]
    model = {
        "unique_id": "model.p.m",
        "name": "m",
        "alias": "m",
        "schema": "marts",
        "resource_type": "model",
        "config": {"materialized": "table"},
        "columns": {},
        "compiled_code": sql,
        "depends_on": {"nodes": [about["unique_id"] for about in sources]},
    }
    manifest = {"metadata": {}, "nodes": {"model.p.m": model}, "sources": {s["unique_id"]: s for s in sources}}
    if stops:
        with pytest.raises(ErasureError, match="m may hold personal data"):
            plan.make(manifest, "raw", "person")
    else:
        assert [target.name for target in plan.make(manifest, "raw", "person").targets] == ["people"]


# history and what is stored


def stored(**files: str) -> Manifest:
    """A snapshot, a seed, a table of the seed alone, and incremental models that read them."""
    reads = {
        "snapshot.p.snap": ["source.p.s"],
        "seed.p.seed": [],
        "model.p.statuses": ["seed.p.seed"],
        "model.p.facts": ["snapshot.p.snap", "model.p.statuses"],
        "model.p.wide": ["model.p.facts"],
    }
    kinds = {"snap": "snapshot", "seed": "seed", "statuses": "table"}
    nodes = {
        uid: {
            "name": (name := uid.split(".")[-1]),
            "resource_type": uid.split(".")[0],
            "checksum": files.get(name, ""),
            "columns": {"a": {}, "b": {}, "c": {}},
            "config": {
                "materialized": kinds.get(name, "incremental"),
                "check_cols": ["a", "b"],
                "hard_deletes": "invalidate",
            },
            "depends_on": {"nodes": parents},
        }
        for uid, parents in reads.items()
    }
    test = {"name": "same", "resource_type": "test", "depends_on": {"nodes": ["source.p.s", "model.p.wide"]}}
    children = {uid: [child for child, parents in reads.items() if uid in parents] for uid in reads}
    return {"nodes": nodes | {"test.p.same": test}, "child_map": children, "sources": {}}


@pytest.mark.parametrize(
    ("files", "by_itself", "told"),
    [
        ({"wide": "new"}, ["facts", "wide"], []),
        ({"seed": "new"}, ["facts", "wide"], []),
        ({}, [], ["facts", "wide"]),
    ],
)
def test_stored_models_are_filled_anew_by_the_build_or_by_order(
    files: dict[str, str], by_itself: list[str], told: list[str]
) -> None:
    """A build knows the files of models, snapshots and seeds, and no macro."""
    base, head = stored(), stored(**files)
    found = merge.stored_with_old_code(base, head, ["model.p.statuses", "model.p.facts", "model.p.wide"])
    assert [[uid.split(".")[-1] for uid in uids] for uids in found] == [by_itself, told]
    command = merge.full_refresh(head, ["model.p.wide", "seed.p.seed", "model.p.facts"], ["model.p.facts"])
    assert command.endswith("--select seed+")


def test_history_that_ends_is_named() -> None:
    base, head = stored(), stored()
    assert merge.lost_history(base, head) == {}
    head["nodes"]["snapshot.p.snap"]["config"] |= {"check_cols": ["b", "c"], "hard_deletes": "ignore"}
    loss = merge.lost_history(base, head)["snapshot.p.snap"]
    assert loss.what == (
        "no longer keeps the history of `a`; `hard_deletes`: `invalidate` → `ignore`; a row that MySQL deletes stays current"
    )
    assert loss.tests == ["same"]
    del head["nodes"]["snapshot.p.snap"]
    assert "is gone" in merge.lost_history(base, head)["snapshot.p.snap"].what


def test_a_setting_is_said_once() -> None:
    base, head = project(a="integer"), project(a="integer")
    head["nodes"]["model.p.mart"]["config"] = {"contract": {"enforced": False}, "materialized": "view"}
    found = changes.settings(base, head, ["model.p.mart"])
    mart = ["model.p.mart"]
    assert found == {("contract.enforced", "True", "False"): mart, ("materialized", "table", "view"): mart}
    base["nodes"]["model.p.mart"]["raw_code"] = "select {{ var('month') }} as a"
    head = base | {"vars": {"month": 4, "other": 1}}
    assert changes.settings(base | {"vars": {"month": 1}}, head, mart) == {("var month", "1", "4"): mart}


# dbt


@pytest.mark.parametrize(
    ("path", "is_kept"),
    [
        ("models/marts/m.sql", True),
        ("models/marts/m.yml", False),
        ("models/marts/new.sql", False),
        ("macros/a.sql", False),
        ("tests/singular/a.sql", False),
        ("dbt_project.yml", False),
        ("profiles/profiles.yml", False),
        ("README.md", True),
    ],
)
def test_a_partial_parse_is_of_the_sql_of_known_models(tmp_path: Path, path: str, is_kept: bool) -> None:
    """dbt gets the rest wrong: a singular test loses its severity after a changed macro."""

    def parsed() -> bool:
        forget(tmp_path / "project", tmp_path / "side")
        return kept.exists()

    kept = tmp_path / "side/target/partial_parse.msgpack"
    for name in ("models/marts/m.sql", "models/marts/m.yml", "macros/a.sql", "tests/singular/a.sql", "dbt_project.yml"):
        (tmp_path / "project" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "project" / name).write_text("one")
    kept.parent.mkdir(parents=True)
    kept.touch()
    assert not parsed(), "unknown"
    kept.touch()
    assert parsed(), "nothing changed"
    (tmp_path / "project" / path).parent.mkdir(exist_ok=True)
    (tmp_path / "project" / path).write_text("two")
    assert parsed() == is_kept


# the page


def test_no_value_becomes_markup() -> None:
    value = "<img src=x>|`@someone` #1\n**b**\x07"
    blocks: list[Block] = [
        HeadingBlock("A"),
        TableBlock(["what", "value"], [["x", code(value)]]),
        FoldBlock(code(value), [TextBlock(code(value))]),
    ]
    html, text = document.page("t", blocks), document.markdown(blocks)
    assert "<img" not in html and "<strong>" not in html
    assert "<strong>a <code>b***</code> c</strong>" in document.page("t", [TextBlock("**a `b***` c**")])
    assert text.splitlines()[4] == "| x | `<img src=x>\\|ʼ@someoneʼ #1 **b**?` |"
    assert "<img" not in text.split("<summary>")[1].split("</summary>")[0]


def test_the_markdown_fits_a_comment() -> None:
    long = TableBlock(["a", "b"], [["x" * 500, str(n)] for n in range(1000)])
    assert len(document.markdown([long])) < 65_000
    text = document.markdown(
        [HeadingBlock("First"), *[FoldBlock(f"fold {n}", [long]) for n in range(9)], TextBlock("last")]
    )
    assert len(text) < 65_000
    assert "First" in text and "last" in text and "fold 8" in text and "… and 960 more." in text
    assert "Left out for length; the HTML report has it." in text
    assert len(document.page("t", [FoldBlock("fold", [long])])) > 20_000


def test_a_graph_is_a_picture_on_both_pages() -> None:
    graph = document.GraphBlock(
        {"orders": ("changed, 1 → 2 rows", "moved"), "lines": ("the same data", "same"), 'a"]<b': ("removed", "bad")},
        [("orders", "lines")],
    )
    assert document.markdown([graph]).splitlines()[:6] == [
        "```mermaid",
        "flowchart LR",
        'n0["orders<br/>changed, 1 → 2 rows"]:::moved',
        'n1["lines<br/>the same data"]:::same',
        'n2["a???b<br/>removed"]:::bad',
        "n0 --> n1",
    ]
    page = document.page("t", [graph])
    assert "<path" in page and "a&quot;]&lt;b" in page
    boxes = re.findall(r'<rect x="(\d+)" y="(\d+)"', page)
    assert boxes == [("1", "1"), ("291", "1"), ("1", "45")], "a column for each step, no box on another"
    assert 'width="530" height="82"' in page


def test_things_to_check_can_be_ticked() -> None:
    checks = document.CheckBlock(["Is `a<b` meant?", "Two."])
    assert document.markdown([checks]) == "- [ ] Is `a<b` meant?\n- [ ] Two.\n"
    assert document.page("t", [checks]).count('<li><label><input type="checkbox">') == 2
    assert "<code>a&lt;b</code>" in document.page("t", [checks])


def test_the_page_asks_no_other_host() -> None:
    page = document.page("t", [TextBlock("a")])
    assert "default-src 'none'" in page
    assert "http" not in page.replace("http-equiv", "")


# lint


def test_lint_of_changed_files_only(clone: Clone) -> None:
    clone.write("models/marts/ugly.sql", "SELECT 1 as one\n")
    clone.write("tests/review/ugly.py", "import os\nx = {  'a':1 }\n")
    result = clone.run("checks", "changed", "--base", "main", GITHUB_ACTIONS="true")
    lines = result.stdout.splitlines()
    assert result.returncode == 1, result.stderr
    assert any(line.startswith("::warning file=models/marts/ugly.sql,line=1,col=1::CP01: ") for line in lines)
    assert any(line.startswith("::warning file=tests/review/ugly.py,line=1,col=8::F401: ") for line in lines)
    assert any("not formatted" in line for line in lines)
    assert lines[-1].startswith("2 changed files, ")
    clone.reset()
    result = clone.run("checks", "changed", "--base", "main")
    assert (result.returncode, result.stdout) == (0, "0 changed files, 0 findings.\n")


def test_an_annotation_escapes_what_github_reads_as_its_own() -> None:
    finding = LintFinding("models/a,b.sql", 3, 1, "LT01", "100%\nbad")
    assert finding.annotation() == "::warning file=models/a%2Cb.sql,line=3,col=1::LT01: 100%25%0Abad"


# the surroundings


def test_an_unknown_base_is_a_usage_error(clone: Clone) -> None:
    result = clone.run("review", "--base", "no-such-branch")
    assert result.returncode == 2
    assert result.stderr == "error: BASE=no-such-branch is no commit of this repository; fetch it, or name another.\n"


def test_a_schema_of_somebody_else_is_left_alone(clone: Clone) -> None:
    clone.query("create schema mine_review_base_marts")
    clone.query("create table mine_review_base_marts.dear (a int)")
    clone.edit("models/marts/metrics_by_month.sql", "with ", "with nothing as (select 1 as one),\n\n")
    result = clone.run("review", "--base", "main", DBT_SCHEMA_PREFIX="mine")
    try:
        assert result.returncode == 2
        assert "mine_review_base_marts exists and was not made by a review" in result.stderr
        assert clone.query("select count(*) from mine_review_base_marts.dear") == [(0,)]
    finally:
        clone.query("drop schema mine_review_base_marts cascade")


def test_a_base_that_ignores_the_prefix_is_refused(clone: Clone) -> None:
    """Its build would land in the schemas that people read."""
    clone.git("checkout", "--quiet", "-B", "old")
    clone.edit("macros/generate_schema_name.sql", "prefix ~ '_' ~ name if prefix else name", "name")
    clone.commit("Build where everybody reads")
    result = clone.run("review", "--base", "old")
    assert result.returncode == 2
    assert "Nothing was built" in result.stderr and "marts" in result.stderr


def test_a_project_that_does_not_parse_is_reported(clone: Clone) -> None:
    clone.edit("models/marts/metrics_by_month.sql", "ref('fct_orders')", "ref('fct_ordres')")
    reviewed = clone.review()
    assert reviewed.code == 1
    assert "fct_ordres" in reviewed.markdown
    listed = subprocess.run(["git", "worktree", "list"], cwd=clone.folder, capture_output=True, text=True, check=True)
    assert len(listed.stdout.splitlines()) == 1, "the checkout of the base is gone"
