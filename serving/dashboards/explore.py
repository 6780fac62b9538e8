"""The drawings of Explore, as Vega-Lite; run with ``.venv-explore/bin/python`` it prints them and the library.

It runs apart, because Altair lives in an environment of its own. The page puts in the data, width and colours.
"""

import argparse
import json
import sys
from typing import Any

BUNDLE = "window.vegaEmbed = vegaEmbed;"


def drawings() -> dict[str, Any]:
    """Rows of ``first``, ``second``, ``value``, and the value as words. The order of the rows is that of the axes."""
    import altair as alt

    rows = alt.Chart(alt.Data(values=[]))
    tips = [alt.Tooltip("first:N"), alt.Tooltip("second:N"), alt.Tooltip("label:N", title="value")]
    heat = rows.encode(
        x=alt.X("second:N", sort=None, title=None, axis=alt.Axis(orient="top", labelAngle=-40)),
        y=alt.Y("first:N", sort=None, title=None),
        tooltip=tips,
    )
    chosen = alt.selection_point("chosen", fields=["second"], bind="legend")
    value = alt.Y("value:Q", title=None, axis=alt.Axis(format="~s", tickCount=5))
    colour = alt.Color("second:N", sort=None, title=None)
    lines = rows.mark_line(point=True).encode(
        x=alt.X("first:N", sort=None, title=None, axis=alt.Axis(labelAngle=-40)), y=value, color=colour, tooltip=tips,
        opacity=alt.condition(chosen, alt.value(1), alt.value(0.1)),
    )  # fmt: skip
    return {
        "heat": heat.mark_rect().encode(
            color=alt.Color("value:Q", title=None, legend=None, scale=alt.Scale(interpolate="rgb"))
        )
        + heat.mark_text(fontSize=11).encode(text="label:N"),
        "lines": lines.add_params(chosen),
    }


def main() -> int:
    argparse.ArgumentParser(
        prog="python -m serving.dashboards.explore",
        description="Print the drawings of Explore and their library, as JSON, for `make explore`.",
    ).parse_args()
    import vl_convert

    specs = {name: drawing.to_dict() for name, drawing in drawings().items()}
    json.dump({"specs": specs, "library": vl_convert.javascript_bundle(BUNDLE)}, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
