"""The project's SQL files as Redshift would read them, with the line of each finding."""

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlfluff.core import FluffConfig, Linter, SQLFluffUserError
from sqlglot.dialects.redshift import Redshift
from sqlglot.tokenizer_core import TokenType

from checks.gate import Violation, violations

FOLDERS = ("models", "snapshots", "tests/singular", "serving")
_COMPILED = re.compile(r"(?:.*/)?(?:compiled|run)/[^/]+/((?:models|snapshots|tests|macros)/.+)")


_SNAPSHOT = re.compile(r"{%-? *(end)?snapshot\b[^%]*%}")
"""dbt's own tag, unknown to the linter."""


class NotRendered(Exception):
    """A file whose Jinja cannot be rendered, and why."""


def findings(path: Path) -> list[tuple[int, Violation]]:
    """The violations of a file, each with its line there.

    Jinja is rendered as the linter does: without dbt and a warehouse, with our macros, every branch once. Compiled
    SQL has none left and is read as it is.

    Raises:
        NotRendered: and says why.
    """
    config = FluffConfig.from_path(str(path), overrides={"dialect": "redshift", "render_variant_limit": 8})
    try:
        sql = _SNAPSHOT.sub("", path.read_text(encoding="utf-8"))
        rendered = Linter(config=config).render_string(sql, str(path), config, "utf-8")
    except SQLFluffUserError as error:
        raise NotRendered(f"{path}: {error}") from None
    if rendered.templater_violations or not rendered.templated_variants:
        raise NotRendered(f"{path}: {'; '.join(error.desc() for error in rendered.templater_violations)}")
    found = {}
    for variant in rendered.templated_variants:
        untraced = _untraced(str(variant)) if path.parts[0] in ("models", "snapshots") else ()
        for violation in (*violations(str(variant)), *untraced):
            place = variant.templated_slice_to_source_slice(slice(violation.offset, violation.offset + 1)).start
            line, _ = variant.get_line_pos_of_char_pos(place)
            found[line, str(violation)] = violation
    return [(line, violation) for (line, _), violation in sorted(found.items())]


def _untraced(sql: str) -> Iterator[Violation]:
    """SQL beyond column lineage, on which erasure and the docs rest, although both warehouses take it."""
    tokens = Redshift().tokenize(sql)
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        if token.token_type == TokenType.RECURSIVE:
            yield Violation(token.start, token.line, "column lineage reads no recursion", "catalog/lineage.py")
        if token.token_type == TokenType.USING and following and following.token_type == TokenType.L_PAREN:
            yield Violation(token.start, token.line, "column lineage reads no using (): join on", "catalog/lineage.py")


def source_of(path: Path, line: int) -> str:
    """``file:line`` of a finding; of compiled SQL, the model's file, and its line if one alone is equal."""
    match = _COMPILED.fullmatch(path.as_posix())
    if not match:
        return f"{path}:{line}"
    source = Path(match[1])
    while source.suffix not in (".sql", ".yml") or not source.is_file():
        if source == source.parent:
            return f"{path}:{line}"
        source = source.parent
    text = path.read_text(encoding="utf-8").splitlines()[line - 1].strip()
    same = [
        n for n, of_source in enumerate(source.read_text(encoding="utf-8").splitlines(), 1) if of_source.strip() == text
    ]
    return f"{source}:{same[0]}" if len(same) == 1 else f"{source}: {path}:{line}"


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        yield from sorted(path.rglob("*.sql")) if path.is_dir() else [path]


def command(paths: Sequence[Path]) -> int:
    """``python -m checks portability``: print the findings; returns the exit code."""
    paths = paths or [path for folder in FOLDERS if (path := Path(folder)).is_dir()]
    files = list(_files(paths))
    if not files:
        print(f"error: no SQL in {', '.join(map(str, paths)) or Path.cwd()}", file=sys.stderr)
        return 2
    code = 0
    for path in files:
        try:
            for line, violation in findings(path):
                print(f"{source_of(path, line)}: {violation}")
                code = max(code, 1)
        except (NotRendered, OSError) as error:
            print(f"error: {error}", file=sys.stderr)
            code = 2
    return code
