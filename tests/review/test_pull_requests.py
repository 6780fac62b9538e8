"""Prepared pull requests: their verdict, their exit code, and what their reviews must not say."""

import re

from tests.review.conftest import Clone

LINES = "models/marts/fct_order_lines.sql"


def test_a_comment_changes_no_data(clone: Clone) -> None:
    clone.edit(LINES, "with order_lines as (", "-- What was ordered, line by line.\nwith order_lines as (")
    clone.edit(
        "macros/month_end.sql", "Last day of the month a day is in.", "The last day of the month that a day is in."
    )
    clone.edit(
        "models/marts/fct_payments.yml", "description: >\n      One row", "description: >\n      Exactly one row"
    )

    reviewed = clone.review()

    assert reviewed.code == 0
    assert "**No change in data.**" in reviewed.markdown
    models = reviewed.section("Models")
    assert "None was added, removed or changed." in models
    assert (
        "Only comments, layout or descriptions differ, no change in data: `fct_order_lines`, `fct_payments`" in models
    )
    assert reviewed.headings == [] and reviewed.printed.startswith("No change in data.\n")
    assert len(reviewed.screen.splitlines()) < 10, "one screen"
    assert reviewed.verdict.splitlines()[2:] == ["**No change in data.**"]
    assert "- [ ]" not in reviewed.markdown and "mermaid" not in reviewed.markdown


def test_the_same_in_other_words(clone: Clone) -> None:
    """Built, tested and compared, since nobody can see by the SQL that it moves nothing."""
    clone.edit(
        "models/marts/metrics_by_territory.sql",
        "product_lines.office_key = offices.office_key",
        "offices.office_key = product_lines.office_key",
    )

    reviewed = clone.review()

    assert reviewed.code == 0
    assert reviewed.verdict.splitlines()[2:] == ["**No change in data.**"]
    assert reviewed.headings == [], "nobody is affected, nothing is to do"
    assert ["metrics_by_territory", "SQL", "4", "4", "–", "–", "–", "–"] in reviewed.cells("Models")


def test_a_mart_that_is_gone_and_a_column_of_another_type(clone: Clone) -> None:
    for end in ("sql", "yml"):
        (clone.folder / f"models/marts/metrics_by_territory.{end}").unlink()
    clone.edit("models/exposures.yml", "      - ref('metrics_by_territory')\n", "")
    clone.edit("models/marts/metrics_by_office.yml", "data_type: numeric(18, 2)", "data_type: numeric(20, 3)")

    reviewed = clone.review()

    assert reviewed.code == 1
    assert "broken contracts.**" in reviewed.verdict and "**Removed: `metrics_by_territory`.**" in reviewed.verdict
    assert "no change in data" not in reviewed.verdict.lower() and "newly failing" not in reviewed.verdict
    broken = reviewed.cells("Broken contracts")
    assert ["metrics_by_territory", "the model is gone"] in [row[:2] for row in broken]
    assert any("retyped from numeric(18, 2) to numeric(20, 3)" in row[1] for row in broken)
    assert "Drop `metrics_by_territory` by hand" in reviewed.section("After the merge")
    assert "- [ ] Nobody outside this project reads `metrics_by_territory`." in reviewed.section("For the reviewer")


def test_a_filter_that_drops_cancelled_lines(clone: Clone) -> None:
    clone.edit(LINES, "    from joined\n", "    from joined\n    where not is_cancelled\n")

    reviewed = clone.review()

    models = {row[0]: row for row in reviewed.cells("Models")}
    assert models["fct_order_lines"][1:6] == ["SQL", "2,996", "2,917", "–", "79"]
    lines = reviewed.section("Data, model by model").split("<code>fct_order_lines</code>: 79 rows removed")[1]
    assert re.search("For example removed: `10[0-9]{3} / [0-9]+`", lines), "an order's number names nobody"
    assert models["orders_obt"][1:6] == ["downstream", "2,996", "2,917", "–", "79"]
    assert "`gross_sales_amount` 9,604,190.61 → 9,365,336.43 (−2.5 %) in `fct_order_lines`" in reviewed.verdict
    assert reviewed.markdown.count("| `gross_sales_amount` | 9,604,190.61 | 9,365,336.43 |") == 1, "said once"
    assert models.keys() - {"model"} == {
        "fct_order_lines",
        "fct_order_product_lines",
        "orders_obt",
        "metrics_by_country",
        "metrics_by_month",
        "metrics_by_office",
        "metrics_by_product",
        "metrics_by_product_line",
        "metrics_by_sales_rep",
        "metrics_by_territory",
        "ml_customer_product_lines",
    }
    assert "no change" not in reviewed.verdict.lower() and "no longer built" not in reviewed.verdict
    reviewer = reviewed.section("For the reviewer")
    assert "- [ ] Rows were meant to come or go in " in reviewer and "history" not in reviewer
    assert re.search(r'"fct_order_lines<br/>changed, 2,996 → 2,917 rows"\]:::moved', reviewed.section("Graph"))
    profile = {row[0]: row[1:] for row in reviewed.cells("Data, model by model")}["gross_sales_amount"]
    assert profile[0] == "0 %" and re.search("[▁▂▃▄▅▆▇█·]{8}", profile[4])
    affected = {row[0]: row[1:3] for row in reviewed.cells("Who is affected")}
    assert affected["Sales dashboard"] == ["dashboard", "Sales Analytics"]
    assert "`fct_order_lines`" in reviewed.section("After the merge"), "stored rows are filled anew"
    failing = {row[0] for row in reviewed.cells("Tests that newly fail")}
    assert {"assert_no_order_line_is_lost", "fct_order_lines: cancelled_lines_are_kept_and_flagged"} <= failing
    assert reviewed.code == 1, "tests newly fail"


def test_a_join_that_multiplies_rows(clone: Clone) -> None:
    """Orders with every payment of their customer: the index of the key tells dbt no more than that."""
    clone.edit(
        "models/marts/fct_orders.sql",
        "    from orders\n",
        "    from orders\n"
        "    left join (select customer_number as payer from {{ ref('stg_classicmodels__payments') }}) as payments\n"
        "        on orders.customer_number = payments.payer\n",
    )

    reviewed = clone.review()

    assert reviewed.code == 1
    assert re.match(r"# SQL review\n\n\*\*\d+ models no longer built\.\*\*", reviewed.markdown), "what comes first"
    assert "data" not in reviewed.verdict.lower(), "nothing was built that could be compared"
    unbuilt = {row[0]: row[1] for row in reviewed.cells("No longer built")[1:]}
    joined = "raw_classicmodels.orders left join raw_classicmodels.payments using (customer_number)"
    ((multiplied,),) = clone.query(f"select count(*) from {joined}")
    assert unbuilt["fct_orders"].endswith(
        f"SQLSTATE 23505; its query gives {multiplied:,} rows for 326 different order_number"
    )


def test_a_join_that_forgets_the_versions(clone: Clone) -> None:
    """By its number, a customer has as many rows as versions; the index of the key is not unique."""
    clone.edit(
        "models/marts/orders_obt.sql",
        "left join customers on order_lines.customer_key = customers.customer_key",
        "left join customers on orders.customer_number = customers.customer_number",
    )

    reviewed = clone.review()

    assert "no change in data" not in reviewed.markdown.lower()
    assert reviewed.code == 1
    models = {row[0]: row for row in reviewed.cells("Models")}
    ((before, after, old, new),) = clone.query(
        "select base.rows, head.rows, base.amount, head.amount from"
        " (select count(*) as rows, sum(gross_sales_amount) as amount from review_base_marts.orders_obt) as base,"
        " (select count(*) as rows, sum(gross_sales_amount) as amount from review_head_marts.orders_obt) as head"
    )
    assert (before, str(old)) == (2996, "9604190.61") and after > 5000
    assert models["orders_obt"][1:4] == ["SQL", f"{before:,}", f"{after:,}"]
    assert f"`gross_sales_amount` {old:,} → {new:,} (+{(new - old) / old * 100:.1f} %)" in reviewed.verdict
    assert "unique_orders_obt_order_line_key" in {row[0] for row in reviewed.cells("Tests that newly fail")}


def test_a_rounded_price(clone: Clone) -> None:
    """Margin and discount move by cents; sales do not."""
    clone.edit("models/marts/fct_order_lines.sql", "products.buy_price", "round(products.buy_price, 0)")

    reviewed = clone.review()

    assert re.search(r"`margin_amount` [\d,.]+ → [\d,.]+ \([+−][\d.]+ %\) in `fct_order_lines`", reviewed.verdict)
    assert "sales_amount" not in reviewed.verdict and "no change in data" not in reviewed.verdict.lower()
    sums = [row[0] for row in reviewed.cells("Amounts")]
    assert "margin_amount" in sums and "gross_sales_amount" not in sums
    assert reviewed.code == 1, "unit tests know the cents"


def test_a_blanked_column_and_a_column_that_is_not_there(clone: Clone) -> None:
    clone.edit(
        "models/marts/dim_products.sql",
        "versions.product_description",
        "cast(null as varchar(65535)) as product_description",
    )
    clone.edit(
        "models/marts/metrics_by_month.sql",
        "with ",
        "with nothing as (select no_such_column from {{ ref('dim_dates') }}),\n\n",
    )

    reviewed = clone.review()

    assert reviewed.code == 1
    assert "`dim_products.product_description` in 219 of 220 rows (now empty: 219)" in reviewed.verdict
    assert "**1 model no longer built.**" in reviewed.verdict
    assert "no sum of an amount or a quantity changes" in reviewed.verdict
    assert "no change" not in reviewed.verdict.lower()
    assert "column no_such_column does not exist" in reviewed.section("No longer built").replace('"', "")


def test_a_fan_out_in_an_aggregate(clone: Clone) -> None:
    """An index cannot tell: the groups keep their keys, and the sums are too large."""
    model = "models/marts/metrics_by_product_line.sql"
    clone.edit(
        model,
        "ref('fct_order_product_lines') }}",
        "ref('fct_order_product_lines') }} cross join (select 1 as one union all select 2) as twice",
    )

    reviewed = clone.review()

    assert reviewed.code == 1
    assert (
        "`gross_sales_amount` 9,604,190.61 → 19,208,381.22 (+100.0 %) in `metrics_by_product_line`" in reviewed.verdict
    )
    assert "assert_metrics_add_up_to_the_facts" in {row[0] for row in reviewed.cells("Tests that newly fail")}
    assert "**Data changed in 1 mart: " in reviewed.verdict and "no longer built" not in reviewed.verdict
    assert "--full-refresh" not in reviewed.markdown, "a table is made anew by every build"


def test_another_seed(clone: Clone) -> None:
    """Disputed orders are no sales any more: stored facts hold the old answer until the next build."""
    seed = (clone.folder / "seeds/order_statuses.csv").read_text(encoding="utf-8")
    line = next(line for line in seed.splitlines() if line.startswith("Disputed"))
    place = seed.splitlines()[0].split(",").index("is_counted_as_sale")
    cells = line.split(",")
    clone.edit("seeds/order_statuses.csv", line, ",".join([*cells[:place], "false", *cells[place + 1 :]]))

    reviewed = clone.review()

    after = reviewed.section("After the merge")
    assert "1. Nothing for `int_orders__bound`, " in after and "--full-refresh" not in after, (
        "a build knows the seed's file"
    )
    assert "an_orders_amounts_and_days_agree" in {row[0] for row in reviewed.cells("Tests that newly fail")}
    assert reviewed.code == 1
    assert "`fct_open_orders` 13 → 10 rows (−23.1 %)" in reviewed.verdict
    assert "`net_sales_amount` 9,365,336.43 → " in reviewed.verdict
    assert "no change in data" not in reviewed.verdict.lower()


def test_another_key_and_another_variable(clone: Clone) -> None:
    """Every row has another hash and is the same row; fiscal years are others; one setting for all snapshots and marts."""
    clone.edit("macros/keys.sql", "    md5(\n", "    md5('2' ||\n")
    clone.edit("dbt_project.yml", "fiscal_year_first_month: 1", "fiscal_year_first_month: 4")
    clone.edit("dbt_project.yml", "+contract: {enforced: true}", "+contract: {enforced: false}")
    clone.edit("dbt_project.yml", "+hard_deletes: invalidate", "+hard_deletes: ignore")

    reviewed = clone.review()

    assert reviewed.code == 1
    assert re.search(r"Other macros: .*`surrogate_key` in \d+ relations", reviewed.verdict)
    assert "no sum of an amount or a quantity changes" in reviewed.verdict
    assert not re.search(r"→ [\d,]+ rows", reviewed.verdict), "no number of rows moves"
    assert re.search(r"\*\*Setting `contract.enforced`: `True` → `False` in \d+ relations", reviewed.verdict)
    assert "**Setting `var fiscal_year_first_month`: `1` → `4` in 1 relation" in reviewed.verdict
    assert "`hard_deletes`: `invalidate` → `ignore`; a row that MySQL deletes stays current" in reviewed.verdict
    assert len(reviewed.cells("Broken contracts")) == 2, "one cause, one row"
    after = reviewed.section("After the merge")
    assert "--full-refresh" in after and "`fct_order_lines`" in after
    models = {row[0]: row for row in reviewed.cells("Models")}
    assert models["orders_obt"][2:6] == ["2,996", "2,996", "–", "–"], "told apart by what the hash is made of"


def test_a_model_that_lineage_cannot_read(clone: Clone) -> None:
    """Refused where it is written: by the lint of the file, and by the review, with what a source column's mark is for."""
    clone.edit(
        "models/staging/classicmodels/src_classicmodels.yml",
        "{name: contact_last_name, config: {meta: {pii: direct}}}",
        "{name: contact_last_name, config: {meta: {pii: false}}}",
    )
    clone.write(
        "models/marts/ranks.sql",
        "with recursive steps (place) as (\n    select 1 as place\n    union all\n    select place + 1 as place from steps where place < 3\n)\n\n"
        "select place from steps\n",
    )
    clone.write(
        "models/marts/ranks.yml", "models:\n  - name: ranks\n    columns: [{name: place, data_type: integer}]\n"
    )

    reviewed = clone.review()

    assert reviewed.code == 1
    assert "**Column lineage cannot read `ranks`" in reviewed.verdict
    assert [row[0] for row in reviewed.cells("Column lineage cannot read")] == ["model", "ranks"]
    assert "**Who may read what changes in `ranks`.**" in reviewed.verdict, "of customers, each mart has its own mark"
    assert "`make erase` changes for" in reviewed.verdict
    assert "leaves it and what is made of it" in reviewed.section("Who may read what")
    linted = clone.run("checks", "portability", "models/marts/ranks.sql")
    assert (linted.returncode, "reads no recursion" in linted.stdout) == (1, True)


def test_running_totals_are_not_added_up(clone: Clone) -> None:
    clone.edit(
        "models/staging/classicmodels/stg_classicmodels__payments.sql",
        "coalesce(amount, 0)",
        "coalesce(amount, 0) + 1",
    )

    reviewed = clone.review()

    assert reviewed.code == 1
    ((payments,),) = clone.query("select count(*) from raw_classicmodels.payments")
    assert "`payment_amount` 8,853,839.23 → " in reviewed.verdict, f"1.00 more for each of {payments}"
    assert "sales_amount" not in reviewed.verdict and "no change" not in reviewed.verdict.lower()
    folds = reviewed.section("Data, model by model").split("<summary>")[1:]
    changed = {re.sub("<.*?>", "", fold.split(":")[0]) for fold in folds}
    added_up = {name for row in reviewed.cells("Amounts")[1:] for name in row[-1].split(", ")}
    assert added_up == {
        "stg_classicmodels__payments",
        "int_customers__monthly_activity",
        "int_customers__totals",
        "fct_payments",
        "metrics_by_country",
    }
    assert changed - added_up == {
        "fct_customer_balances",
        "fct_customer_segments",
        "fct_receivables",
        "metrics_by_month",
        "ml_customer_features",
    }


def test_a_left_join_turned_inner(clone: Clone) -> None:
    """Countries whose customers never ordered lose their row; no total moves. The other join loses nothing in this data."""
    clone.edit(
        "models/marts/metrics_by_country.sql",
        "select * from final",
        "select final.* from final inner join by_sales on final.customer_country = by_sales.customer_country",
    )
    clone.edit("models/marts/dim_products.sql", "left join product_lines as own", "inner join product_lines as own")

    reviewed = clone.review()

    models = {row[0]: row for row in reviewed.cells("Models")}
    assert models["metrics_by_country"][1:6] == ["SQL", "27", "21", "–", "6"]
    assert models["dim_products"][1:] == ["SQL", "220", "220", "–", "–", "–", "–"], (
        "every product has its line: no row is lost"
    )
    detail = reviewed.section("Data, model by model")
    assert "<code>metrics_by_country</code>: 6 rows removed" in detail
    assert "For example removed: `Israel`, `Netherlands`, `Poland`." in detail
    assert reviewed.cells("Amounts") == [] and "no sum of an amount or a quantity changes" in reviewed.verdict
    assert "`metrics_by_country` 27 → 21 rows (−22.2 %)" in reviewed.verdict
    failing = [row[0] for row in reviewed.cells("Tests that newly fail")][1:]
    assert failing == [
        "dim_products: a_product_that_lines_mention_first_is_inferred",
        "metrics_by_country: metrics_of_a_country",
    ]
    assert reviewed.code == 1


def test_a_renamed_mart_column(clone: Clone) -> None:
    """Its own model, contract and unit test were changed with it; what reads it was forgotten."""
    clone.edit("models/marts/dim_products.sql", " versions.product_line,\n", " versions.product_line as line,\n")
    clone.edit("models/marts/dim_products.yml", "- name: product_line\n", "- name: line\n")
    text = (clone.folder / "models/marts/dim_products.yml").read_text(encoding="utf-8")
    given, expected = text.split("    expect:")
    clone.write("models/marts/dim_products.yml", given + "    expect:" + expected.replace(" product_line:", " line:"))
    clone.git("checkout", "--quiet", "-B", "rename")
    clone.commit("Call the product line line")  # committed or not is the same to the review

    reviewed = clone.review()

    assert reviewed.code == 1
    assert reviewed.markdown.index("**1 broken contract.**") < 50, "what comes first"
    assert reviewed.headings[:2] == ["Broken contracts", "No longer built"]
    head, broken = reviewed.cells("Broken contracts")
    assert head == ["what", "change", "read by", "exposures"]
    assert broken[:2] == ["dim_products.product_line", "removed; renamed to line, the values are the same"]
    assert (
        broken[2]
        == "fct_order_product_lines.product_line, metrics_by_product_line.product_line, orders_obt.product_line, ml_customer_product_lines"
    )
    assert {"Sales dashboard", "Stock monitor"} <= set(broken[3].split(", "))
    unbuilt = reviewed.section("No longer built")
    assert "| `orders_obt` | `column products.product_line does not exist" in unbuilt
    assert (
        "And, for want of it: `metrics_by_country`, `metrics_by_month`, `metrics_by_office`, `metrics_by_product_line`,"
        " `metrics_by_sales_rep`, `metrics_by_territory`." in unbuilt
    )
    assert [row[0] for row in reviewed.cells("Tests that newly fail")] == [
        "test",
        "assert_current_versions_equal_the_source",
        "assert_texts_have_no_blanks_around_them",
    ]
    not_run = re.search(r"Not run, since what they read was not built: (.*)\.", reviewed.section("Tests"))
    assert not_run and "`unique_orders_obt_order_line_key`" in not_run[1]


def test_a_new_model(clone: Clone) -> None:
    clone.write(
        "models/marts/sales_by_day.sql",
        "with order_lines as (\n    select * from {{ ref('fct_order_lines') }}\n)\n\n"
        "select\n    order_date_key,\n    cast(sum(gross_sales_amount) as numeric(18, 2)) as gross_sales_amount\n"
        "from order_lines\ngroup by order_date_key\n",
    )
    clone.write(
        "models/marts/sales_by_day.yml",
        "models:\n  - name: sales_by_day\n    description: One row per day with orders.\n    columns:\n"
        "      - name: order_date_key\n        description: Day.\n        data_type: integer\n        data_tests: [unique]\n"
        "      - name: gross_sales_amount\n        description: Booked sales.\n        data_type: numeric(18, 2)\n",
    )

    reviewed = clone.review()

    assert reviewed.code == 0
    assert "**New: `sales_by_day`.**" in reviewed.verdict and "Data changed" not in reviewed.verdict
    assert ["sales_by_day", "**added**", "–", "265", "+265", "–", "–", "–"] in reviewed.cells("Models")
    assert "<code>sales_by_day</code>: new, 265 rows" in reviewed.markdown
    assert ["order_date_key", "integer", "0 of 265 empty, 265 different"] in reviewed.cells("Data, model by model")
    assert "1 concerned, 1 passed, 0 newly failing." in reviewed.section("Tests")
    assert "no change in data" not in reviewed.markdown.lower()


def test_what_no_row_shows_is_named(clone: Clone) -> None:
    """A person in clear, another customer's rows, a version not kept, a test that is gone: a first build has the same rows."""
    marts = "models/marts"
    clone.edit(
        f"{marts}/dim_customers.yml",
        "{pii: direct, mask: last_digits, history: type 1}",
        "{pii: false, history: type 1}",
    )
    clone.edit(f"{marts}/fct_orders.yml", "{rows: customer_key}", "{rows: all}")
    clone.edit("snapshots/snap_customers.yml", "        - credit_limit\n", "")
    clone.edit(
        LINES,
        "where order_lines.order_number in ({{ changed_orders() }})",
        "where orders.order_date_key > (select max(order_date_key) from {{ this }})",
    )
    bound = "models/intermediate/int_orders__bound.sql"
    clone.edit(bound, "unique_key='order_number'", "unique_key='customer_number'")
    clone.edit(
        f"{marts}/metrics_by_month.yml", "data_tests: [unique]", "data_tests: [{unique: {config: {severity: warn}}}]"
    )
    clone.edit(f"{marts}/dim_offices.yml", "data_tests: [unique]\n", "\n")

    reviewed = clone.review()

    assert reviewed.code == 1, "history is lost"
    assert (
        "**Who may read what changes in `dim_customers`, `fct_orders`.**\n\n**`make erase` changes for `dim_customers`.**\n\n"
        "**Tests gone: 1, tests that ask something else: 1.**" in reviewed.markdown
    )
    assert (
        "**What later builds make of `fct_order_lines`, `int_orders__bound` may change, which is not shown.**"
        in reviewed.verdict
    )
    assert "no change in data" not in reviewed.markdown.lower()
    assert "`snap_customers` no longer keeps the history of `credit_limit`" in reviewed.verdict
    assert "`assert_current_versions_equal_the_source`" in reviewed.verdict
    access = reviewed.cells("Who may read what")[1:]
    assert [row[:2] for row in access] == [
        ["dim_customers", "phone: mask"],
        ["dim_customers", "phone: pii"],
        ["fct_orders", "meta.embedded"],
    ]
    assert access[1][2:4] == ["direct", "false"]
    assert "analysts read it in clear" in access[1][4]
    models = {row[0]: row for row in reviewed.cells("Models")}
    assert (
        models["snap_customers"][1] == "setting check_cols"
        and models["int_orders__bound"][1] == "SQL, setting unique_key"
    )
    assert reviewed.cells("Tests")[1:] == [
        ["unique_dim_offices_office_key", "gone"],
        ["unique_metrics_by_month_year_month", "SQL, setting severity"],
    ]
    assert "Only comments" not in reviewed.markdown


def test_data_alone_is_no_failure(clone: Clone) -> None:
    """Other telephone numbers, as their test says: no test and no contract minds, and no number is shown."""
    clone.edit(
        "models/staging/classicmodels/stg_classicmodels__customer_contacts.sql",
        "trim(phone) as phone",
        "trim(phone) || ' x' as phone, 1 as one",
    )
    clone.edit(
        "models/staging/classicmodels/stg_classicmodels__customers.sql", "trim(phone) as", "trim(phone) || ' x' as"
    )
    clone.edit(
        "tests/singular/assert_current_versions_equal_the_source.sql",
        "'contact_last_name': 'trim(contact_last_name)', 'phone': 'trim(phone)'",
        """'contact_last_name': 'trim(contact_last_name)', 'phone': "trim(phone) || ' x'\"""",
    )

    reviewed = clone.review()

    assert reviewed.code == 0, reviewed.section("Tests that newly fail")
    assert re.search(r"Data changed in 1 mart and \d other models?: no sum of an amount", reviewed.verdict)
    assert "newly failing" not in reviewed.verdict and "no change in data" not in reviewed.verdict.lower()
    models = {row[0]: row for row in reviewed.cells("Models")}
    assert models["dim_customers"][1:7] == ["downstream", "244", "244", "–", "–", "243"]
    assert [
        "stg_classicmodels__customer_contacts.one",
        "new, integer; 0 of 122 empty, 1 different",
        "–",
    ] in reviewed.cells("Changed columns")
    assert "dim_customers.phone" in reviewed.section("Who reads the changed columns")
    numbers = [phone for (phone,) in clone.query("select phone from raw_classicmodels.customers")]
    assert len(numbers) == 122
    for page in (reviewed.markdown, reviewed.html):
        assert "***" in page
        assert not [number for number in numbers if number in page]
