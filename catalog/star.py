"""The star schema as a picture and as a bus matrix, both drawn from the foreign keys held by tests."""

from collections import Counter
from collections.abc import Sequence
from html import escape

from catalog.project import ForeignKey

_ROW, _TITLE, _GAP = 19, 30, 16
_FACT_WIDTH, _DIMENSION_WIDTH, _BETWEEN, _MARGIN = 230, 210, 400, 80
"""Pixels. The margin on the right is for keys from one dimension to another."""


def facts_and_dimensions(keys: Sequence[ForeignKey]) -> tuple[list[str], list[str]]:
    """Tables that only point to others, most keys first, and those pointed to, the most used in the middle."""
    dimensions = {key.dimension for key in keys}
    facts = sorted({key.table for key in keys} - dimensions, key=lambda fact: (-len(_of(fact, keys)), fact))
    counts = Counter(key.dimension for key in keys)
    ordered: list[str] = []
    for number, dimension in enumerate(sorted(dimensions, key=lambda dimension: (-counts[dimension], dimension))):
        ordered.insert(0 if number % 2 else len(ordered), dimension)
    return facts, ordered


def bus_matrix(keys: Sequence[ForeignKey]) -> list[tuple[str, list[list[str]]]]:
    """For each fact, for each dimension, the fact's columns that point to it; a column's role is in its name."""
    facts, dimensions = facts_and_dimensions(keys)
    return [
        (fact, [[key.column for key in _of(fact, keys) if key.dimension == dimension] for dimension in dimensions])
        for fact in facts
    ]


def diagram(keys: Sequence[ForeignKey]) -> str:
    """Facts on the left with their keys, dimensions on the right, a line for every key; as SVG."""
    facts, dimensions = facts_and_dimensions(keys)
    left_height = sum(_TITLE + _ROW * len(_of(fact, keys)) + _GAP for fact in facts)
    right_height = sum(_TITLE + _ROW * (1 + len(_of(dimension, keys))) + _GAP for dimension in dimensions)
    height = max(left_height, right_height)
    spread = (height - right_height) / max(len(dimensions), 1)
    dimension_x = _FACT_WIDTH + _BETWEEN
    width = dimension_x + _DIMENSION_WIDTH + _MARGIN

    boxes, lines = [], []
    places: dict[str, float] = {}
    top = spread / 2
    for dimension in dimensions:
        places[dimension] = top + _TITLE + _ROW / 2
        pointed_to = sorted({key.key for key in keys if key.dimension == dimension})
        rows = [", ".join(pointed_to), *(key.column for key in _of(dimension, keys))]
        boxes.append(_box(dimension, rows, dimension_x, top, _DIMENSION_WIDTH, "dimension"))
        top += _TITLE + _ROW * len(rows) + _GAP + spread
    top = 0
    for fact in facts:
        own = _of(fact, keys)
        boxes.append(_box(fact, [key.column for key in own], 0, top, _FACT_WIDTH, "fact"))
        for number, key in enumerate(own):
            y = top + _TITLE + _ROW * (number + 0.5)
            lines.append(_line(key, _FACT_WIDTH, y, dimension_x, places[key.dimension], dimensions))
        top += _TITLE + _ROW * len(own) + _GAP
    for dimension in dimensions:
        for number, key in enumerate(_of(dimension, keys), 1):
            right = dimension_x + _DIMENSION_WIDTH
            y = places[dimension] + _ROW * number
            lines.append(_line(key, right, y, right, places[key.dimension], dimensions))
    title = f"Star schema: {', '.join(facts)} and the dimensions they point to"
    return (
        f'<svg viewBox="0 0 {width} {height:.0f}" width="{width}" role="img" aria-label="{escape(title)}">'
        + "".join(lines + boxes)
        + "</svg>"
    )


def _of(table: str, keys: Sequence[ForeignKey]) -> list[ForeignKey]:
    return [key for key in keys if key.table == table]


def _box(name: str, rows: Sequence[str], x: float, y: float, width: int, kind: str) -> str:
    texts = "".join(
        f'<text x="{x + 10}" y="{y + _TITLE + _ROW * number + 14:.0f}">{escape(row)}</text>'
        for number, row in enumerate(rows)
    )
    return (
        f'<g class="{kind}"><rect x="{x}" y="{y:.0f}" width="{width}" height="{_TITLE + _ROW * len(rows) + 2}" rx="6"/>'
        f'<a href="dictionary.html#{escape(name)}">'
        f'<text class="name" x="{x + 10}" y="{y + 20:.0f}">{escape(name)}</text></a>'
        f"{texts}</g>"
    )


def _line(key: ForeignKey, x1: float, y1: float, x2: float, y2: float, dimensions: Sequence[str]) -> str:
    bend = _MARGIN if x1 == x2 else (x2 - x1) / 2
    end = x2 + bend if x1 == x2 else x2 - bend
    return (
        f'<path class="key c{dimensions.index(key.dimension) % 8}"'
        f' d="M{x1} {y1:.0f} C{x1 + bend} {y1:.0f} {end} {y2:.0f} {x2} {y2:.0f}">'
        f"<title>{escape(key.table)}.{escape(key.column)} → {escape(key.dimension)}.{escape(key.key)}</title></path>"
    )
