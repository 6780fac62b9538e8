"""A page of headings, texts, tables and folds, written as Markdown for GitHub and as one file of HTML.

The HTML is made of the same Markdown. Texts may hold ``code`` in backticks and **bold**; texts of data or of
dbt go through ``code()`` first, so that no value can become markup, mention a person or link an issue.
"""

import dataclasses
import html
import re
from collections.abc import Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

MARKDOWN_LIMIT = 60_000
"""GitHub takes comments of 65,536 characters."""
_NUMBER = re.compile(r"[+\-−]?[\d,]+(\.\d+)?( s)?|–|")


@dataclasses.dataclass
class HeadingBlock:
    text: str
    level: int = 2


@dataclasses.dataclass
class TextBlock:
    text: str


@dataclasses.dataclass
class TableBlock:
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    limit: int = 40


@dataclasses.dataclass
class FoldBlock:
    """Blocks behind a title, closed at first."""

    title: str
    blocks: Sequence["Block"]


@dataclasses.dataclass
class CheckBlock:
    """A list for the reader, each item with a box to tick."""

    items: Sequence[str]


@dataclasses.dataclass
class GraphBlock:
    """Names, parents first, each with its state and the state's kind (``bad``, ``moved``, ``same``), and arrows."""

    nodes: dict[str, tuple[str, str]]
    arrows: Sequence[tuple[str, str]]


Block = HeadingBlock | TextBlock | TableBlock | FoldBlock | CheckBlock | GraphBlock


def code(value: object, limit: int = 80) -> str:
    """A value as inline code, on one line and not too long."""
    text = re.sub(r"\s+", " ", "".join(c if c.isprintable() or c.isspace() else "?" for c in str(value))).strip()
    text = text if len(text) <= limit else text[: limit - 1] + "…"
    return "`" + (text.replace("`", "ʼ") or " ") + "`"


def markdown(blocks: Sequence[Block], limit: int = MARKDOWN_LIMIT) -> str:
    """As Markdown no longer than ``limit``: the longest folds are left out first, and say so."""
    parts = [_markdown(block) for block in blocks]
    note = "Left out for length; the HTML report has it."
    longest = sorted(range(len(parts)), key=lambda number: len(parts[number]), reverse=True)
    for number in longest:
        block = blocks[number]
        if sum(map(len, parts)) + len(parts) <= limit:
            break
        if isinstance(block, FoldBlock):
            parts[number] = _markdown(FoldBlock(block.title, [TextBlock(note)]))
        elif isinstance(block, TableBlock):
            parts[number] = f"{note}\n"
    return "\n".join(parts)[:limit]


def _markdown(block: Block) -> str:
    if isinstance(block, HeadingBlock):
        return f"{'#' * block.level} {block.text}\n"
    if isinstance(block, TextBlock):
        return f"{block.text}\n"
    if isinstance(block, CheckBlock):
        return "".join(f"- [ ] {item}\n" for item in block.items)
    if isinstance(block, GraphBlock):
        return f"```mermaid\n{_mermaid(block)}\n```\n"
    if isinstance(block, FoldBlock):
        inner = "\n".join(_markdown(inside) for inside in block.blocks)
        return f"<details><summary>{_MARKDOWN.renderInline(block.title)}</summary>\n\n{inner}\n</details>\n"
    rows, more = _cut(block)
    right = _right(block)
    lines = [list(block.head), ["---:" if number in right else "---" for number in range(len(block.head))], *rows]
    cells = [" | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) for row in lines]
    return "\n".join(f"| {line} |" for line in cells) + f"\n{more}"


def page(title: str, blocks: Sequence[Block]) -> str:
    """As one HTML file; it asks no other for anything."""
    body = "\n".join(_html(block) for block in blocks)
    return _PAGE.format(title=html.escape(title), style=_STYLE, body=body)


def _html(block: Block) -> str:
    if isinstance(block, FoldBlock):
        inner = "\n".join(_html(inside) for inside in block.blocks)
        return f"<details><summary>{_MARKDOWN.renderInline(block.title)}</summary>\n{inner}\n</details>"
    if isinstance(block, CheckBlock):
        items = (f'<li><label><input type="checkbox"> {_MARKDOWN.renderInline(item)}</label>' for item in block.items)
        return f"<ul>{''.join(items)}</ul>"
    if isinstance(block, GraphBlock):
        return f'<div class="wide">{_svg(block)}</div>'
    if isinstance(block, TableBlock):
        block = dataclasses.replace(block, limit=len(block.rows))
    tokens = _MARKDOWN.parse(_markdown(block))
    if isinstance(block, TableBlock):
        _mark_cells(tokens, block)
    return str(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}))


def _mermaid(graph: GraphBlock) -> str:
    """For GitHub, which draws it."""
    number = {name: f"n{number}" for number, name in enumerate(graph.nodes)}
    plain = {name: re.sub(r"[^\w.]", "?", name) for name in graph.nodes}
    return "\n".join(
        [
            "flowchart LR",
            *(f'{number[name]}["{plain[name]}<br/>{state}"]:::{kind}' for name, (state, kind) in graph.nodes.items()),
            *(f"{number[parent]} --> {number[child]}" for parent, child in graph.arrows),
            *(f"classDef {kind} stroke:{colour},stroke-width:2px" for kind, colour in _COLOURS.items()),
        ]
    )


def _svg(graph: GraphBlock) -> str:
    """A column for each distance from where the change began."""
    depth: dict[str, int] = {}
    place: dict[str, tuple[int, int]] = {}
    for name in graph.nodes:
        depth[name] = 1 + max((depth[parent] for parent, child in graph.arrows if child == name), default=-1)
        place[name] = (depth[name] * 290, sum(other == depth[name] for other in depth.values()) * 44 - 43)
    drawn = []
    for parent, child in graph.arrows:
        (left, start), (right, end) = place[parent], place[child]
        left, start, end = left + 240, start + 18, end + 18
        drawn.append(f'<path d="M{left} {start}C{left + 25} {start} {right - 25} {end} {right} {end}"/>')
    for name, (state, kind) in graph.nodes.items():
        x, y = place[name]
        drawn.append(f'<rect x="{x + 1}" y="{y}" width="238" height="36" stroke="{_COLOURS[kind]}"/>')
        drawn.append(f'<text x="{x + 8}" y="{y + 15}">{html.escape(name)}</text>')
        drawn.append(f'<text x="{x + 8}" y="{y + 30}">{html.escape(state)}</text>')
    width, height = (max(ends) + size for ends, size in zip(zip(*place.values(), strict=True), (240, 37), strict=True))
    size = f'width="{width}" height="{height}"'
    return f'<svg {size} role="img" aria-label="Models changed and affected">{"".join(drawn)}</svg>'


_COLOURS = {"bad": "#d1242f", "moved": "#bf8700", "same": "#808080"}


def _mark_cells(tokens: Sequence[Token], table: TableBlock) -> None:
    """Each cell says whether it is a number, or nothing, and for narrow screens the name of its column."""
    right, number = _right(table), 0
    for token, inside in zip(tokens, tokens[1:], strict=False):
        if token.type == "tr_open":
            number = 0
        elif token.type in ("th_open", "td_open"):
            kinds = ["n"] * (number in right) + ["none"] * (inside.content == "–")
            token.attrs = {"class": " ".join(kinds)} if kinds else {}
            if token.type == "td_open":
                token.attrs["data-label"] = table.head[number]
            number += 1


class _Renderer(RendererHTML):
    """Tables scroll when they are too wide; the content of a cell stays together beside the column's name."""

    def table_open(self, *_: Any) -> str:
        return '<div class="wide"><table>\n'

    def table_close(self, *_: Any) -> str:
        return "</table></div>\n"

    def td_open(self, *token: Any) -> str:
        return f"{self.renderToken(*token)}<div>"

    def td_close(self, *token: Any) -> str:
        return f"</div>{self.renderToken(*token)}"


_MARKDOWN = MarkdownIt("zero", renderer_cls=_Renderer).enable(["heading", "table", "backticks", "emphasis"])
"""Only the parts of Markdown that these pages have."""


def _cut(table: TableBlock) -> tuple[Sequence[Sequence[str]], str]:
    more = len(table.rows) - table.limit
    return (table.rows, "") if more <= 0 else (table.rows[: table.limit], f"\n… and {more:,} more.\n")


def _right(table: TableBlock) -> set[int]:
    columns = range(1, len(table.head))
    return {n for n in columns if table.rows and all(_NUMBER.fullmatch(row[n].strip("*")) for row in table.rows)}


_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; } h3 { font-size: 1rem; }
p { margin: .5rem 0; } code { font: .86em ui-monospace, monospace; background: var(--soft); }
.wide { overflow-x: auto; margin: .5rem 0; } table { border-collapse: collapse; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--line); }
th { overflow-wrap: normal; } td { min-width: 6rem; } td:first-child:not(.n) { min-width: 11rem; }
.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; min-width: 0; }
@media (max-width: 40rem) { /* each row a card, each cell with its column's name */
  table, tbody, tr { display: block; } thead, td.none { display: none; }
  tr { border-bottom: 1px solid var(--line); padding: .4rem 0; }
  td { display: flex; gap: .7rem; border: 0; padding: .1rem 0; white-space: normal; }
  td::before { content: attr(data-label); flex: 0 0 7rem; text-align: left; font-size: .8rem; opacity: .7; }
  td div { min-width: 0; }
}
svg { font: 12px ui-monospace, monospace; fill: currentColor; } svg path, svg rect { fill: none; stroke-width: 2; }
svg path { stroke: var(--line); } ul { list-style: none; margin: .5rem 0; padding: 0; }
li { padding: .15rem 0 .15rem 1.6rem; text-indent: -1.6rem; } details details { margin-left: 1rem; }
details { border-top: 1px solid var(--line); padding: .4rem 0; } summary { cursor: pointer; }
"""
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title><style>{style}</style></head>
<body>
{body}
</body></html>
"""
