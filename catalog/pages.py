"""The pages of the docs site, each one file without anything from outside: a browser that obeys the policy in its head
cannot ask another host for anything."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

from catalog import star
from catalog.landing import Landing
from catalog.project import LAYERS, Project, Table
from catalog.quality import DIMENSIONS, Build

PAGES = {
    "index": "Start",
    "guide": "Which column?",
    "dictionary": "Dictionary",
    "lineage": "Lineage",
    "star": "Star schema",
    "glossary": "Glossary",
    "owners": "Owners",
    "quality": "Last build",
    "dimensions": "Data quality",
    "landing": "Last landing",
    "dbt": "dbt docs",
}
_CARDS = {
    "guide": "Which table answers what, what to sum, how keys and history work.",
    "dictionary": "Every column: type, meaning, owner, personal data. With search.",
    "lineage": "What a column is made of, back to MySQL, and what is made of it.",
    "star": "Facts, dimensions and the keys between them; which fact has which dimension.",
    "glossary": "What we mean by booked sales, outstanding, version, landing ...",
    "owners": "Who owns which model, and who reads it.",
    "quality": "Freshness of the sources, tests of the last build.",
    "dimensions": "Accuracy, completeness, uniqueness, timeliness, validity of each build; the sources' contracts.",
    "landing": "Row counts and checksums, and what changed.",
    "dbt": "dbt's own page: SQL, tests and the graph of models.",
}
_LAYER_TITLES = {
    "mart": "Marts: made for reports",
    "intermediate": "Intermediate: steps on the way",
    "staging": "Staging: one view per raw table",
    "snapshot": "Snapshots: history",
    "seed": "Seeds: lists kept by hand",
    "raw": "Raw: as it lands from MySQL",
}
_HERE = Path(__file__).resolve().parent
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")
_NAME = re.compile(r"\b\w+(?:\.\w+)*")
_CODE = re.compile(r"<code>([\w.]+)</code>")


def write(project: Project, landing: Landing | None, builds: Sequence[Build], folder: Path) -> None:
    """Write every page but dbt's own into ``folder``."""
    generated = str(project.manifest["metadata"]["generated_at"])[:16].replace("T", " ")
    bodies = {
        "index": _index(project),
        "guide": f'<article class="prose">{_linked(_MARKDOWN.render(project.doc("__overview__")), project)}</article>',
        "dictionary": _dictionary(project),
        "lineage": _lineage(project),
        "star": _star(project),
        "glossary": f'<article class="prose">{_linked(_glossary(project), project)}</article>',
        "owners": _owners(project),
        "quality": _quality(project),
        "dimensions": _dimensions(project, builds),
        "landing": _landing(landing),
    }
    for name, body in bodies.items():
        (folder / f"{name}.html").write_text(_page(name, body, generated), encoding="utf-8")


def _page(name: str, body: str, generated: str) -> str:
    links = "".join(
        f'<a href="{page}.html"{" aria-current=page" if page == name else ""}>{escape(title)}</a>'
        for page, title in PAGES.items()
    )
    heading = "" if name == "guide" else f"<h1>{'classicmodels' if name == 'index' else escape(PAGES[name])}</h1>"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
<title>{escape(PAGES[name])} · classicmodels</title>
<style>
{(_HERE / "site.css").read_text(encoding="utf-8")}</style>
</head>
<body id="{name}">
<nav>{links}</nav>
<main>
{heading}
{body}
</main>
<footer>Made from dbt's artifacts of {generated} UTC.</footer>
<script>
{(_HERE / "site.js").read_text(encoding="utf-8")}</script>
</body>
</html>
"""


def _index(project: Project) -> str:
    overview = project.doc("__overview__")
    answers = re.search(r"^## Which table answers what\n(.*?)(?=^```|^## )", overview, re.MULTILINE | re.DOTALL)
    cards = "".join(
        f'<a class="card" href="{page}.html"><b>{escape(PAGES[page])}</b><span>{escape(text)}</span></a>'
        for page, text in _CARDS.items()
    )
    found = [
        [f"{table.name}.{column.name}", table.layer, column.description]
        for layer in LAYERS
        for table in project.named(layer)
        for column in table.columns.values()
    ]
    return (
        "<p>A retailer's MySQL database as a star schema. Look for a column, or start with a question.</p>"
        '<input type="search" id="find" placeholder="Find a column: sales, credit limit, country ..." aria-label="Find a column" autocomplete="off">'
        '<ul id="found" aria-live="polite"></ul>'
        f'<div class="cards">{cards}</div>'
        f'<h2 id="which-column">Which column do I sum?</h2><div class="prose">{_linked(_MARKDOWN.render(answers[1] if answers else ""), project)}</div>'
        + _data(found)
    )


def _dictionary(project: Project) -> str:
    owners = sorted({table.owner for table in project.tables.values() if table.owner})
    parts = [
        '<div class="tools"><input type="search" id="filter" placeholder="Words in a name or description" aria-label="Search the dictionary" autocomplete="off">'
        f'<select id="owner" aria-label="Owner"><option value="">all owners</option>{"".join(f"<option>{escape(owner)}</option>" for owner in owners)}</select>'
        '<label><input type="checkbox" id="personal"> personal data only</label><span id="count" aria-live="polite"></span></div>'
    ]
    for layer in LAYERS:
        tables = "".join(_described(table, project) for table in project.named(layer))
        parts.append(f'<div class="layer"><h2>{_LAYER_TITLES[layer]}</h2>{tables}</div>')
    return "".join(parts)


def _described(table: Table, project: Project) -> str:
    rows = "".join(
        f'<tr id="{escape(table.name)}.{escape(column.name)}"{" data-personal" if column.personal else ""}>'
        f'<td><a href="lineage.html#{escape(table.name)}.{escape(column.name)}" title="its lineage">{escape(column.name)}</a>'
        f"{f' <mark>personal data: {escape(column.personal)}</mark>' if column.personal else ''}</td>"
        f"<td>{escape(column.type)}</td><td>{_inline(column.description, project)}</td></tr>"
        for column in table.columns.values()
    )
    facts = [
        text
        for text in (
            table.owner and f"owner {table.owner}",
            table.access,
            table.deprecated and f"ends {table.deprecated}",
        )
        if text
    ]
    readers = f'<p class="small">Read by: {escape(", ".join(table.consumers))}</p>' if table.consumers else ""
    return (
        f'<section id="{escape(table.name)}" data-owner="{escape(table.owner)}"><h3>{escape(table.name)} <small>{escape(" · ".join(facts))}</small></h3>'
        f"<p>{_inline(table.description, project)}</p>{readers}"
        f'<table class="stack"><thead><tr><th>column</th><th>type</th><th>what it is</th></tr></thead><tbody>{rows}</tbody></table></section>'
    )


def _lineage(project: Project) -> str:
    columns = {
        f"{table.name}.{column.name}": [table.layer, column.type, column.description, table.owner]
        + [column.personal, table.consumers]
        for layer in LAYERS
        for table in project.named(layer)
        for column in table.columns.values()
    }
    names = {unique_id: table.name for unique_id, table in project.tables.items()}
    parents = {
        f"{names[table]}.{column}": sorted(f"{names[parent]}.{name}" for parent, name in origins)
        for (table, column), origins in project.lineage.items()
        if origins
    }
    return (
        '<input type="search" id="find" placeholder="Find a column: type a part of its name" aria-label="Find a column" autocomplete="off">'
        '<ul id="found" aria-live="polite"></ul>'
        '<div id="chosen"><p>For example <a href="#metrics_by_country.gross_sales_amount">metrics_by_country.gross_sales_amount</a>, '
        'or <a href="#orders_obt.customer_country">orders_obt.customer_country</a>.</p></div>'
        '<p class="small">A column leads to the columns its value is computed from. Columns that only join, filter or group are not shown.</p>'
        + _data({"columns": columns, "parents": parents})
    )


def _star(project: Project) -> str:
    keys = project.foreign_keys
    facts, dimensions = star.facts_and_dimensions(keys)
    head = "".join(f'<th scope="col"><a href="dictionary.html#{name}">{name}</a></th>' for name in dimensions)
    rows = "".join(
        f'<tr><th scope="row"><a href="dictionary.html#{fact}">{fact}</a></th>'
        + "".join(
            f'<td title="{escape(", ".join(columns))}">{"<br>".join(_role(column, len(columns)) for column in columns)}</td>'
            for columns in cells
        )
        + "</tr>"
        for fact, cells in star.bus_matrix(keys)
    )
    return (
        f"<p>{len(facts)} facts, {len(dimensions)} dimensions, {len(keys)} keys. Every line is a test of each build: the key on the left is found on "
        "the right, always. Point at a line to read it; click a table for its columns.</p>"
        f'<div class="wide">{star.diagram(keys)}</div>'
        "<h2>Bus matrix</h2><p>Which fact can be reported by which dimension. Several dates on one fact are several roles: join the one you mean.</p>"
        f'<div class="wide"><table class="matrix"><thead><tr><td></td>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _role(column: str, of: int) -> str:
    role = re.sub(r"_(date_)?key$", "", column).replace("_", " ")
    return f"● {escape(role)}" if of > 1 else "●"


def _glossary(project: Project) -> str:
    """Each term is a bold line with its meaning under it; terms get an anchor."""

    def anchored(match: re.Match[str]) -> str:
        return f'<p id="{re.sub(r"[^a-z]+", "-", match[1].lower()).strip("-")}"><strong>{match[1]}</strong>'

    return re.sub(r"<p><strong>(.*?)</strong>", anchored, _MARKDOWN.render(project.doc("glossary")))


def _owners(project: Project) -> str:
    owners = sorted({table.owner for table in project.tables.values() if table.owner})
    owned = []
    for owner in owners:
        tables = [table for layer in LAYERS for table in project.named(layer) if table.owner == owner]
        links = " · ".join(
            f"{_table_link(table)} <small>{escape(table.access or table.layer)}</small>" for table in tables
        )
        owned.append([f"<b>{escape(owner)}</b>", links])
    consumers = [
        [
            f"<b>{escape(exposure['label'] or exposure['name'])}</b>",
            escape(exposure["type"]),
            escape(exposure["owner"]["name"] or ""),
            escape(exposure["maturity"] or ""),
            _inline(exposure["description"], project),
            ", ".join(_table_link(project.tables[parent]) for parent in exposure["depends_on"]["nodes"]),
        ]
        for exposure in sorted(project.manifest["exposures"].values(), key=lambda exposure: str(exposure["name"]))
    ]
    return (
        "<p>Owners are teams. Public models are for everybody, protected ones for this project, private ones for their owner's models.</p>"
        + _stack(["owner", "owns"], owned)
        + "<h2>Who reads the marts</h2>"
        + _stack(["consumer", "kind", "owner", "maturity", "what it is for", "reads"], consumers)
    )


def _quality(project: Project) -> str:
    parts = ["<h2>Freshness of the sources</h2>"]
    if project.freshness and project.freshness["results"]:
        parts.append(
            _stack(
                ["source", "state", "last landing", "age when asked"],
                [
                    [
                        escape(_name_of(result["unique_id"], project)),
                        _state("pass" if result["status"] == "pass" else result["status"]),
                        escape(_moment(result.get("max_loaded_at"))),
                        _duration(result.get("max_loaded_at_time_ago_in_s")),
                    ]
                    for result in sorted(project.freshness["results"], key=lambda result: str(result["unique_id"]))
                ],
            )
        )
    else:
        parts.append("<p>Not measured: <code>dbt source freshness</code> has not been run, or found no landing.</p>")
    parts.append("<h2>Tests and models of the last build</h2>")
    if not project.build:
        return "".join(parts) + "<p>There was none: <code>make run</code> builds and tests.</p>"
    results = [result for result in project.build["results"] if not result["unique_id"].startswith("exposure.")]
    counts = Counter(str(result["status"]) for result in results)
    parts.append(
        f"<p>dbt {escape(project.build['args']['which'])}, finished {_moment(project.build['metadata']['generated_at'])}, "
        f"{project.build['elapsed_time']:.1f} s: "
        + ", ".join(f"{_state(status)} {count:,}" for status, count in counts.most_common())
        + "</p>"
        '<div class="tools"><input type="search" id="filter" placeholder="Words in a test or model" aria-label="Search the results" autocomplete="off">'
        '<span id="count" aria-live="polite"></span></div>'
    )
    order = {"error": 0, "fail": 0, "runtime error": 0, "warn": 1, "skipped": 2}
    results = sorted(results, key=lambda result: (order.get(result["status"], 3), str(result["unique_id"])))
    rows = [_result(result, project) for result in results]
    return "".join(parts) + f"<section>{_stack(['what', 'kind', 'of', 'state', 'seconds'], rows)}</section>"


def _result(result: dict[str, Any], project: Project) -> list[str]:
    unique_id = str(result["unique_id"])
    node = project.manifest["nodes"].get(unique_id) or project.manifest["unit_tests"].get(unique_id) or {}
    of = node.get("attached_node") or (node.get("model") and f"model.{node['package_name']}.{node['model']}")
    failed = result["status"] not in ("pass", "success", "skipped")
    # The first line names the trouble; those after it may hold values of the data.
    message = f"<br><small>{escape(str(result['message'] or '').split(chr(10))[0][:200])}</small>" if failed else ""
    return [
        escape(_test_name(node) or unique_id) + message,
        escape(unique_id.split(".")[0].replace("_", " ")),
        _table_link(project.tables[of]) if of in project.tables else "",
        _state(str(result["status"])),
        f"{result['execution_time']:.2f}",
    ]


def _test_name(node: dict[str, Any]) -> str:
    """As its writer named it; a test without a name of its own by what it asks of which columns."""
    test = node.get("test_metadata")
    if not test or not node["name"].startswith(test["name"]):
        return str(node.get("name", ""))
    arguments = test["kwargs"]
    columns = (
        node.get("column_name") or arguments.get("columns") or arguments.get("keys") or arguments.get("natural_key")
    )
    return f"{test['name']}: {columns if isinstance(columns, str) else ', '.join(columns or ())}"


def _dimensions(project: Project, builds: Sequence[Build]) -> str:
    parts = []
    if builds:
        parts.append(f"<p>The build of {_moment(builds[0].started_at)}, by what its tests say something about.</p>")
        rows = []
        for name, meaning in DIMENSIONS.items():
            score = builds[0].scores.get(name)
            cells = (
                ["–"] * 4
                if score is None
                else [f"{score.passed:,}", f"{score.warned:,}", f"{score.failed:,}", f"{score.rows_failing:,}"]
            )
            state = "skipped" if score is None else "fail" if score.failed else "warn" if score.warned else "pass"
            failing = "".join(f"<br><small>{escape(test)}</small>" for test in (score.failing if score else ()))
            rows.append([f"<b>{name}</b>{failing}", escape(meaning), _state(state), *cells])
        parts.append(
            _stack(
                ["dimension", "the data", "state", "passed", "warned", "failed", "rows failing"], rows, numbers_from=3
            )
        )
        parts.append("<h2>Build by build</h2><p>Tests passed, of those that ran.</p>")
        history = [
            [escape(_moment(build.started_at)), *(_share(build, name) for name in DIMENSIONS)] for build in builds
        ]
        parts.append(_stack(["build", *DIMENSIONS], history, numbers_from=1))
    else:
        parts.append("<p>No build has recorded its tests yet: <code>make run</code> builds and tests.</p>")
    contracts = []
    for source in sorted(project.manifest["sources"].values(), key=lambda source: str(source["name"])):
        meta, oldest = source["config"].get("meta", {}), (source["freshness"] or {}).get("error_after") or {}
        contracts.append(
            [
                _table_link(project.tables[source["unique_id"]]),
                *(escape(str(meta.get(key, ""))) for key in ("owner", "sensitivity")),
            ]
            + [f"{oldest.get('count', '')} {oldest.get('period', '')}s", escape(str(meta.get("on_breach", "")))]
        )
    parts.append(
        "<h2>Contracts of the sources</h2><p>What a source promises. <b>stop</b>: a failing test ends the build, what reads the table is not built, "
        "and the marts keep their last good rows; <b>warn</b>: it is reported and the build goes on. Older than this, <code>make freshness</code> fails.</p>"
        + _stack(["table", "owner", "sensitivity", "oldest landing", "on breach"], contracts)
    )
    return "".join(parts)


def _share(build: Build, dimension: str) -> str:
    score = build.scores.get(dimension)
    if score is None:
        return "–"
    text = f"{score.passed:,} of {score.passed + score.warned + score.failed:,}"
    return f"<b>{text}</b>" if score.failed else text


def _landing(landing: Landing | None) -> str:
    if landing is None:
        return "<p>The warehouse has no record of a landing: <code>make run</code> lands.</p>"
    rows = [
        [
            escape(table["source_table"]),
            f"{table['row_count']:,}",
            "" if table["checksum"] is None else f"{table['checksum']}",
            *(f"{table[what]:,}" for what in ("inserted", "updated", "deleted", "cast_exceptions")),
        ]
        for table in landing.tables
    ]
    total = [
        sum(table[what] for table in landing.tables)
        for what in ("row_count", "inserted", "updated", "deleted", "cast_exceptions")
    ]
    exceptions = [
        [escape(table), escape(column), escape(reason), f"{count:,}"]
        for table, column, reason, count in landing.exceptions
    ]
    return (
        f"<p>MySQL database <b>{escape(landing.source_database)}</b>, landed {_moment(landing.started_at)} to {_moment(landing.finished_at)}; "
        f"its rows carry the time {_moment(landing.loaded_at)}. Run <code>{escape(landing.run_id)}</code>.</p>"
        f"<p>{len(rows)} tables, {total[0]:,} rows: {total[1]:,} inserted, {total[2]:,} updated, {total[3]:,} deleted, "
        f"{total[4]:,} cast exceptions. Count and checksum are of all rows, as MySQL sent them. What was loaded the warehouse counted and "
        "summed again, and only what agreed was published; rows that came as they did the last time were not loaded again.</p>"
        + _stack(
            ["table in MySQL", "rows", "checksum", "inserted", "updated", "deleted", "cast exceptions"],
            rows,
            numbers_from=1,
        )
        + "<h2>Values no type could hold</h2>"
        + (
            _stack(["raw table", "column", "reason", "values"], exceptions)
            if exceptions
            else "<p>None: every value is in its raw table as MySQL has it.</p>"
        )
    )


def _stack(head: Sequence[str], rows: Iterable[Sequence[str]], numbers_from: int = 99) -> str:
    """A table whose rows become cards on a narrow screen."""
    titles = "".join(
        f"<th{' class=number' if position >= numbers_from else ''}>{escape(title)}</th>"
        for position, title in enumerate(head)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f'<td data-title="{escape(title)}"{" class=number" if position >= numbers_from else ""}>{cell}</td>'
            for position, (title, cell) in enumerate(zip(head, row, strict=True))
        )
        + "</tr>"
        for row in rows
    )
    return f'<table class="stack titled"><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>'


def _linked(html: str, project: Project) -> str:
    """Names of tables and columns in code type lead to the dictionary."""
    known = _known(project)

    def link(match: re.Match[str]) -> str:
        return f'<a href="dictionary.html#{match[1]}">{match[0]}</a>' if match[1] in known else match[0]

    return _CODE.sub(link, html).replace("<table>", '<div class="wide"><table>').replace("</table>", "</table></div>")


def _known(project: Project) -> set[str]:
    """``table`` and ``table.column`` of everything in the dictionary."""
    tables = project.tables.values()
    return {table.name for table in tables} | {f"{table.name}.{column}" for table in tables for column in table.columns}


def _inline(text: str, project: Project) -> str:
    """A description: plain text, where names of tables and columns lead to the dictionary."""
    known = _known(project)
    return _NAME.sub(
        lambda match: f'<a href="dictionary.html#{match[0]}">{match[0]}</a>' if match[0] in known else match[0],
        escape(text.replace("`", "")),
    )


def _table_link(table: Table) -> str:
    return f'<a href="dictionary.html#{escape(table.name)}">{escape(table.name)}</a>'


def _name_of(unique_id: str, project: Project) -> str:
    return project.tables[unique_id].name if unique_id in project.tables else unique_id


def _state(status: str) -> str:
    kind = {"pass": "good", "success": "good", "warn": "soso", "skipped": "soso"}.get(status, "bad")
    return f'<span class="state {kind}">{escape(status)}</span>'


def _moment(moment: Any) -> str:
    if not moment:
        return "never"
    text = moment.isoformat() if isinstance(moment, datetime) else str(moment)
    return f"{text[:19].replace('T', ' ')} UTC"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, hours = seconds / 60, seconds / 3600
    return f"{hours:.1f} h" if hours >= 2 else f"{minutes:.0f} min"


def _data(content: Any) -> str:
    """For the page's script; ``<`` is written so that no text can end the element."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return f'<script type="application/json" id="data">{text}</script>'
