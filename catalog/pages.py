"""The pages of the docs site: a context for each template in ``templates/``.

Each page is one file and needs no other. The templates escape all texts of dbt and the warehouse. Only the filters here
make HTML of a text (``Markup``), and they escape it first.
"""

import dataclasses
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup, escape

from catalog import profiles, star
from catalog.last_landing import LastLanding
from catalog.profiles import Profile
from catalog.project import LAYERS, DbtProject
from catalog.quality import DIMENSIONS, BuildScores

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
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")
_NAME = re.compile(r"\b\w+(?:\.\w+)*")
_CODE = re.compile(r"<code>([\w.]+)</code>")
_ANSWERS = re.compile(r"^## Which table answers what\n(.*?)(?=^```|^## )", re.MULTILINE | re.DOTALL)
_TERM = re.compile(r"^\*\*(.+?)\*\*\n(.+?)(?=\n\n|\Z)", re.MULTILINE | re.DOTALL)
_PERSON = re.compile(r"(customer|employee|rep|manager)\w*_(number|key)$")
"""Names of columns that say who a row is about."""
_FIRST = "metrics_by_country.gross_sales_amount"
"""Its lineage is shown until a reader chooses another."""
_BAD_FIRST = {"error": 0, "fail": 0, "runtime error": 0, "warn": 1, "skipped": 2}


@dataclasses.dataclass
class Records:
    """What the warehouse knows of the marts."""

    landing: LastLanding | None
    builds: Sequence[BuildScores]
    profiles: dict[str, Profile]
    figures: list[dict[str, Any]]
    """Of the last month with sales and, if there is one, of that month a year before."""


def write(project: DbtProject, records: Records, folder: Path) -> None:
    """Write every page but dbt's own into ``folder``."""
    dashboards = "dashboards/overview.html" if (folder / "dashboards" / "overview.html").exists() else ""
    contexts: dict[str, dict[str, Any]] = {
        "index": _index(project, records),
        "guide": {"overview": re.sub(r"\A\s*# .*\n", "", project.doc("__overview__"))},
        "dictionary": _dictionary(project),
        "lineage": _lineage(project, records),
        "star": _star(project),
        "glossary": {"terms": project.doc("glossary")},
        "owners": _owners(project),
        "quality": _quality(project),
        "dimensions": _dimensions(project, records.builds),
        "landing": {"landing": records.landing},
    }
    templates = _templates(project)
    for name, context in contexts.items():
        html = templates.get_template(f"{name}.html").render(context, name=name, dashboards=dashboards)
        (folder / f"{name}.html").write_text(html, encoding="utf-8")


def _templates(project: DbtProject) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    tables = project.tables.values()
    known = {table.name for table in tables} | {
        f"{table.name}.{column}" for table in tables for column in table.columns
    }
    environment.filters |= {
        "anchored": _anchored,
        "duration": _duration,
        "linked": lambda text: _linked(text, known),
        "moment": _moment,
        "number": "{:,}".format,
        "prose": lambda text: _prose(text, known),
        "role": lambda column: re.sub(r"_(date_)?key$", "", column).replace("_", " "),
    }
    environment.globals |= {
        "pages": PAGES,
        "generated": str(project.manifest["metadata"]["generated_at"])[:16].replace("T", " "),
        "style": Markup((_HERE / "site.css").read_text(encoding="utf-8")),  # noqa: S704 (our own file)
        "script": Markup((_HERE / "site.js").read_text(encoding="utf-8")),  # noqa: S704 (our own file)
        "tables": project.tables,
    }
    return environment


# what each template is given


def _index(project: DbtProject, records: Records) -> dict[str, Any]:
    answers = _ANSWERS.search(project.doc("__overview__"))
    columns = [
        [f"{table.name}.{column.name}", table.layer, column.description]
        for layer in LAYERS
        for table in project.named(layer)
        for column in table.columns.values()
    ]
    terms = [
        [term, "glossary", " ".join(meaning.replace("`", "").split()), f"glossary.html#{_anchor(term)}"]
        for term, meaning in _TERM.findall(project.doc("glossary"))
    ]
    pages = [[PAGES[page], "page", text, f"{page}.html"] for page, text in _CARDS.items()]
    return {
        "cards": _CARDS,
        "answers": answers[1] if answers else "",
        "entries": [*columns, *terms, *pages],
        "figures": _figures(records.figures),
        "landing": records.landing,
    }


def _figures(rows: Sequence[dict[str, Any]]) -> list[tuple[str, str, str, str]]:
    """Name, figure, figure a year before and column of each."""
    if not rows:
        return []
    now, before = rows[0], rows[1] if len(rows) > 1 else None

    def said(write: Callable[[dict[str, Any]], str]) -> tuple[str, str]:
        return write(now), f"{write(before)} in {before['year_month']}" if before else ""

    def rate(row: dict[str, Any]) -> str:
        sales, margin = row["net_sales_amount"], row["net_margin_amount"]
        return f"{margin / sales * 100:.1f}%" if sales and margin is not None else "–"

    days = "days_sales_outstanding"
    return [
        (
            f"Net sales in {now['year_month']}",
            *said(lambda row: f"${row['net_sales_amount']:,.0f}"),
            "net_sales_amount",
        ),
        ("Orders", *said(lambda row: f"{row['kept_order_count']:,}"), "kept_order_count"),
        ("Margin", *said(rate), "net_margin_amount"),
        ("Owed at its end", *said(lambda row: f"${row['outstanding_amount'] or 0:,.0f}"), "outstanding_amount"),
        ("Days of sales outstanding", *said(lambda row: "–" if row[days] is None else str(row[days])), days),
    ]


def _dictionary(project: DbtProject) -> dict[str, Any]:
    return {
        "owners": _owner_names(project),
        "layers": {_LAYER_TITLES[layer]: project.named(layer) for layer in LAYERS},
    }


def _lineage(project: DbtProject, records: Records) -> dict[str, Any]:
    columns = {
        f"{table.name}.{column.name}": [table.layer, column.type, column.description, table.owner]
        + [
            column.personal,
            table.consumers,
            _profile(f"{table.name}.{column.name}", bool(column.personal), table.layer, records),
        ]
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
    return {"columns": columns, "parents": parents, "first": _FIRST if _FIRST in columns else next(iter(columns))}


def _profile(name: str, personal: bool, layer: str, records: Records) -> list[tuple[str, str]]:
    if layer != "mart" or name not in records.profiles:
        return []
    landed = [("landed", _moment(records.landing.loaded_at))] if records.landing else []
    hidden = personal or bool(_PERSON.search(name))
    return [*profiles.words(records.profiles[name], hidden), *landed]


def _star(project: DbtProject) -> dict[str, Any]:
    keys = project.foreign_keys
    facts, dimensions = star.facts_and_dimensions(keys)
    diagram = Markup(star.diagram(keys))  # noqa: S704 (escaped there)
    return {
        "keys": keys,
        "facts": facts,
        "dimensions": dimensions,
        "diagram": diagram,
        "matrix": star.bus_matrix(keys),
    }


def _owners(project: DbtProject) -> dict[str, Any]:
    owned = {
        owner: [table for layer in LAYERS for table in project.named(layer) if table.owner == owner]
        for owner in _owner_names(project)
    }
    return {"owners": owned, "exposures": _by(project.manifest["exposures"].values(), "name")}


def _owner_names(project: DbtProject) -> list[str]:
    return sorted({table.owner for table in project.tables.values() if table.owner})


def _quality(project: DbtProject) -> dict[str, Any]:
    freshness = _by(project.freshness["results"], "unique_id") if project.freshness else []
    found = project.build["results"] if project.build else []
    results = [result for result in _by(found, "unique_id") if not result["unique_id"].startswith("exposure.")]
    return {
        "freshness": freshness,
        "build": project.build,
        "counts": Counter(str(result["status"]) for result in results).most_common(),
        "results": [
            _result(result, project)
            for result in sorted(results, key=lambda result: _BAD_FIRST.get(result["status"], 3))
        ],
    }


def _result(result: dict[str, Any], project: DbtProject) -> dict[str, Any]:
    unique_id = str(result["unique_id"])
    node = project.manifest["nodes"].get(unique_id) or project.manifest["unit_tests"].get(unique_id) or {}
    of = node.get("attached_node") or (node.get("model") and f"model.{node['package_name']}.{node['model']}")
    failed = result["status"] not in ("pass", "success", "skipped")
    # The first line names the trouble; those after it may hold values of the data.
    message = str(result["message"] or "").split("\n")[0][:200] if failed else ""
    return {
        "what": _test_name(node) or unique_id,
        "message": message,
        "kind": unique_id.split(".")[0].replace("_", " "),
        "table": project.tables.get(of or ""),
        "status": str(result["status"]),
        "seconds": result["execution_time"],
    }


def _test_name(node: dict[str, Any]) -> str:
    """As its writer named it; a test without a name of its own by its kind and columns."""
    test = node.get("test_metadata")
    if not test or not node["name"].startswith(test["name"]):
        return str(node.get("name", ""))
    arguments = test["kwargs"]
    columns = (
        node.get("column_name") or arguments.get("columns") or arguments.get("keys") or arguments.get("natural_key")
    )
    return f"{test['name']}: {columns if isinstance(columns, str) else ', '.join(columns or ())}"


def _dimensions(project: DbtProject, builds: Sequence[BuildScores]) -> dict[str, Any]:
    return {"builds": builds, "dimensions": DIMENSIONS, "sources": _by(project.manifest["sources"].values(), "name")}


def _by(found: Iterable[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    return sorted(found, key=lambda one: str(one[key]))


# filters


def _prose(markdown: str, known: set[str]) -> Markup:
    """Markdown; names of tables and columns in code type lead to the dictionary."""

    def link(match: re.Match[str]) -> str:
        return f'<a href="dictionary.html#{match[1]}">{match[0]}</a>' if match[1] in known else match[0]

    html = _CODE.sub(link, _MARKDOWN.render(markdown))
    wide = html.replace("<table>", '<div class="wide"><table>').replace("</table>", "</table></div>")
    return Markup(wide)  # noqa: S704 (the renderer escapes)


def _anchored(html: str) -> Markup:
    """Each term of the glossary is a bold line with its meaning under it; it gets an anchor."""

    def anchor(match: re.Match[str]) -> str:
        return f'<p id="{_anchor(match[1])}"><strong>{match[1]}</strong>'

    return Markup(re.sub(r"<p><strong>(.*?)</strong>", anchor, html))  # noqa: S704 (it was HTML)


def _anchor(term: str) -> str:
    return re.sub(r"[^a-z]+", "-", term.lower()).strip("-")


def _linked(text: str, known: set[str]) -> Markup:
    """A description: plain text, but names of tables and columns lead to the dictionary."""

    def link(match: re.Match[str]) -> str:
        return f'<a href="dictionary.html#{match[0]}">{match[0]}</a>' if match[0] in known else match[0]

    return Markup(_NAME.sub(link, str(escape(text.replace("`", "")))))  # noqa: S704 (escaped)


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
