"""Every small way to break a model: places in its SQL, found with sqlglot's tokenizer, and what to write there instead.

Source   the text of a model or macro, Jinja and all. Jinja is blanked out before it is read as SQL, at equal length, so a
         token's position is its position in the file, and both branches of an ``is_incremental()`` are seen.
Mutant   one change at one place. Its key is made of texts and not of line numbers, so it outlives changes elsewhere.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from sqlglot import Token, TokenType
from sqlglot.dialects import Postgres

# Columns that a slip of the hand takes for one another. Each one is mistaken for the next in its row.
LOOK_ALIKES = [
    ("order_date", "required_date", "shipped_date"),
    ("order_date_key", "required_date_key", "shipped_date_key"),
    ("binds_from", "binds_to"),
    ("valid_from", "valid_to"),
    ("dbt_valid_from", "dbt_valid_to"),
    ("holds_from", "holds_to"),
    ("first_day", "last_day"),
    ("first_order_date", "last_order_date", "next_order_date"),
    ("first_month_end_date", "last_month_end_date"),
    ("first_month_end_date_key", "last_month_end_date_key"),
    ("month_start_date", "month_end_date"),
    ("gross_sales_amount", "net_sales_amount"),
    ("gross_amount", "paid_amount", "ordered_amount"),
    ("cost_amount", "list_amount"),
    ("margin_amount", "discount_amount"),
    ("buy_price", "list_price"),
    ("order_count", "payment_count"),
    ("days_to_pay", "payments_after_an_order"),
    ("customer_key", "product_key"),
    ("sales_rep_employee_key", "office_key", "customer_location_key"),
    ("employee_key", "manager_employee_key"),
    ("employee_number", "manager_employee_number"),
    ("order_number", "order_line_number"),
    ("country", "city", "state", "postal_code"),
    ("first_name", "last_name"),
    ("contact_first_name", "contact_last_name"),
    ("address_line1", "address_line2"),
    ("product_name", "product_line", "product_vendor", "product_scale"),
    ("is_open", "is_cancelled"),
    ("calendar_year", "calendar_month", "calendar_quarter"),
    ("year_month", "year_quarter"),
    ("month_name", "day_name"),
    ("quantity_ordered", "line_count"),
    ("days_to_ship", "days_late", "days_allowed"),
]
CAN_BE_NEGATIVE = ("outstanding_amount", "margin_amount", "net_margin_amount", "discount_amount", "adjustment_amount")
TEXTS = (
    "country",
    "customer_country",
    "city",
    "product_line",
    "current_product_line",
    "order_status",
    "territory",
    "job_title",
)
MISTAKEN_FOR = {name: row[(n + 1) % len(row)] for row in LOOK_ALIKES for n, name in enumerate(row)}

COMPARISONS = {
    TokenType.GTE: (">", "<"),
    TokenType.GT: (">=", "<"),
    TokenType.LTE: ("<", ">"),
    TokenType.LT: ("<=", ">"),
    TokenType.EQ: ("<>",),
    TokenType.NEQ: ("=",),
}
FUNCTIONS = {
    "sum": "max",
    "min": "max",
    "max": "min",
    "avg": "max",
    "lead": "lag",
    "lag": "lead",
    "greatest": "least",
}
ARITHMETIC = {TokenType.PLUS: "-", TokenType.DASH: "+", TokenType.STAR: "+", TokenType.SLASH: "*"}
TYPES = {"numeric", "varchar", "decimal", "char"}
CLAUSES = {
    *("select", "from", "where", "on", "having", "when", "then", "else", "union"),
    *("order by", "group by", "partition by"),
}
ENDS_CONDITION = {
    *("group by", "order by", "having", "union", "where", "left", "inner", "cross", "join", "full"),
    *("then", "when", "else", "end", "limit", ";"),
}


@dataclasses.dataclass(frozen=True)
class Edit:
    start: int
    end: int
    text: str


@dataclasses.dataclass(frozen=True)
class Mutant:
    path: str
    """Of the file, within the project."""
    operator: str
    line: int
    before: str
    after: str
    place: str
    """The text of the line, and which of its kind it is where the file has several alike."""
    edits: tuple[Edit, ...]
    is_incremental: bool
    """Whether the change is in a branch that only incremental builds take."""

    @property
    def name(self) -> str:
        return Path(self.path).stem

    @property
    def key(self) -> str:
        return f"{self.name}: {self.place}: {self.before} -> {self.after}"

    def apply(self, text: str) -> str:
        for edit in sorted(self.edits, key=lambda edit: edit.start, reverse=True):
            text = text[: edit.start] + edit.text + text[edit.end :]
        return text


def mutants_of(path: str, text: str) -> list[Mutant]:
    """All mutants of one file, in the order of their places."""
    changes = [*_Sql(text).changes(), *_jinja_changes(text), *_slips(text)]
    changes.sort(key=lambda change: (change[1][0].start, change[0], change[1][0].text))
    seen: Counter[str] = Counter()
    branches = _incremental_branches(text)
    found = []
    for operator, edits in changes:
        first = edits[0]
        line_start = text.rfind("\n", 0, first.start) + 1
        line_end = text.find("\n", first.start)
        place = " ".join(text[line_start : line_end if line_end >= 0 else len(text)].split())
        before = " ".join(text[first.start : first.end].split())
        after = " ".join(first.text.split())
        seen[f"{place}{before}{after}"] += 1
        number = seen[f"{place}{before}{after}"]
        found.append(
            Mutant(
                path,
                operator,
                text.count("\n", 0, first.start) + 1,
                before,
                after,
                place if number == 1 else f"{place} (#{number})",
                edits,
                any(start <= first.start < end for start, end in branches),
            )
        )
    return found


def choose(mutants: Iterable[Mutant], count: int, seed: int) -> list[Mutant]:
    """``count`` mutants, or fewer: every operator in turn, in each the file that was taken least, then what the seed says."""
    waiting: dict[str, list[Mutant]] = defaultdict(list)
    for mutant in mutants:
        waiting[mutant.operator].append(mutant)
    for of_operator in waiting.values():
        of_operator.sort(key=lambda mutant: hashlib.sha256(f"{seed}/{mutant.key}".encode()).digest())
    taken: Counter[str] = Counter()
    chosen: list[Mutant] = []
    while waiting and len(chosen) < count:
        for operator in sorted(waiting):
            of_operator = waiting[operator]
            mutant = min(of_operator, key=lambda mutant: taken[mutant.path])
            of_operator.remove(mutant)
            if not of_operator:
                del waiting[operator]
            taken[mutant.path] += 1
            chosen.append(mutant)
    return chosen[:count]


_CONFIG = re.compile(r"\{\{\s*config\((?:\n.*?^\s*\)|[^\n]*\))\s*\}\}", re.DOTALL | re.MULTILINE)
_TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)

Change = tuple[str, tuple[Edit, ...]]


def _without_jinja(text: str) -> str:
    """The text with every Jinja expression as a name, everything else of Jinja as blanks, at equal length."""

    def instead(match: re.Match[str]) -> str:
        if match[0].startswith("{{"):
            return "j" * len(match[0])
        return (";" if "endmacro" in match[0] else "").ljust(len(match[0]))

    return _TAG.sub(instead, _CONFIG.sub(lambda match: " " * len(match[0]), text))


def _incremental_branches(text: str) -> list[tuple[int, int]]:
    branches, opened = [], []
    for tag in re.finditer(r"\{%-?\s*(if|else|elif|endif|for|endfor)\b(.*?)%\}", text, re.DOTALL):
        if tag[1] == "if":
            opened.append(tag.end() if "is_incremental()" in tag[2] else None)
        elif tag[1] in ("else", "endif") and opened:
            start = opened.pop()
            if start is not None:
                branches.append((start, tag.start()))
            if tag[1] == "else":
                opened.append(None)
    return branches


class _Sql:
    """The tokens of one file and the changes to them."""

    def __init__(self, text: str):
        self.text = text
        self.tokens: list[Token] = Postgres().tokenize(_without_jinja(text))
        self.words = [" ".join(token.text.lower().split()) for token in self.tokens]
        self.depths: list[int] = []
        self.closes: dict[int, int] = {}
        opened: list[int] = []
        for n, token in enumerate(self.tokens):
            if token.token_type == TokenType.R_PAREN and opened:
                self.closes[opened.pop()] = n
            self.depths.append(len(opened))
            if token.token_type == TokenType.L_PAREN:
                opened.append(n)

    def changes(self) -> Iterator[Change]:
        for n, token in enumerate(self.tokens):
            kind, word = token.token_type, self.words[n]
            yield from self._comparison(n, kind)
            yield from self._arithmetic(n, kind)
            yield from self._constant(n, kind)
            if kind == TokenType.STRING:
                continue
            yield from self._function(n, word)
            yield from self._join(n, word)
            yield from self._logic(n, word)
            yield from self._window(n, word)
            yield from self._look_alike(n, word)
            yield from self._column(n, word)
            if word in ("where", "on", "having", "when"):
                yield from self._conditions(n)
            elif word == "union":
                all_follows = self.word(n + 1) == "all"
                yield self.change("union", n, "union" if all_follows else "union all", n + all_follows)
            elif word == "distinct":
                yield self.change("distinct", n, "")
            elif word == "group by":
                yield from self._group_by(n + 1)

    def word(self, n: int) -> str:
        return self.words[n] if 0 <= n < len(self.words) else ""

    def change(self, operator: str, n: int, text: str, last: int | None = None) -> Change:
        return operator, (Edit(self.tokens[n].start, self.tokens[n if last is None else last].end + 1, text),)

    def source(self, first: int, last: int) -> str:
        """The text of the file from one token to another."""
        return self.text[self.tokens[first].start : self.tokens[last].end + 1]

    def clause(self, n: int) -> str:
        """The keyword of the clause that a token is in."""
        for m in range(n - 1, -1, -1):
            if self.depths[m] == self.depths[n] and self.words[m] in CLAUSES:
                return self.words[m]
            if self.depths[m] < self.depths[n]:
                return self.clause(m)
        return ""

    def function(self, n: int) -> str:
        """The name of the function that a token is an argument of."""
        opened = next((m for m in range(n - 1, -1, -1) if self.depths[m] < self.depths[n]), 0)
        return self.word(opened - 1)

    def expression_end(self, n: int) -> int:
        """The last token of the argument that starts at a token: before the next comma or closing bracket."""
        m = n
        while m + 1 < len(self.tokens) and self.depths[m + 1] >= self.depths[n]:
            if self.words[m + 1] == "," and self.depths[m + 1] == self.depths[n]:
                break
            m += 1
        return m

    def _comparison(self, n: int, kind: TokenType) -> Iterator[Change]:
        for instead in COMPARISONS.get(kind, ()):
            yield self.change("comparison", n, instead)

    def _arithmetic(self, n: int, kind: TokenType) -> Iterator[Change]:
        before = self.word(n - 1)
        if kind in ARITHMETIC and (before == ")" or before.replace("_", "").isalnum()) and before not in CLAUSES:
            yield self.change("arithmetic sign", n, ARITHMETIC[kind])

    def _constant(self, n: int, kind: TokenType) -> Iterator[Change]:
        word, text = self.words[n], self.tokens[n].text
        if kind == TokenType.NUMBER:
            is_size = self.word(n - 2) in TYPES or (self.word(n - 1) == "," and self.word(n - 4) in TYPES)
            if not is_size and text.isdecimal():
                yield self.change("constant", n, str(int(text) + 1))
        elif kind == TokenType.STRING and "j" * 5 not in text:
            if self.word(n - 1) == "interval":
                yield self.change("constant", n, "'" + re.sub(r"\d+", lambda found: str(int(found[0]) + 1), text) + "'")
            elif self.function(n) not in ("date_trunc", "to_char"):
                yield self.change("constant", n, f"'not {text}'")
        elif word in ("true", "false"):
            yield self.change("constant", n, "false" if word == "true" else "true")

    def _function(self, n: int, word: str) -> Iterator[Change]:
        if self.word(n + 1) != "(":
            return
        if word in FUNCTIONS:
            yield self.change("aggregate" if word not in ("lead", "lag") else "window", n, FUNCTIONS[word])
        elif word == "count" and self.word(n + 2) == "*":
            yield self.change("aggregate", n, "max(1)", n + 3)
        elif word in ("coalesce", "nullif"):
            last = self.expression_end(n + 2)
            close = self.closes.get(n + 1)
            if close is not None and self.word(last + 1) == ",":
                start, end = self.tokens[n].start, self.tokens[n + 2].start
                yield (
                    "coalesce dropped" if word == "coalesce" else "nullif dropped",
                    (
                        Edit(start, end, "("),
                        Edit(self.tokens[last].end + 1, self.tokens[close].end + 1, ")"),
                    ),
                )

    def _join(self, n: int, word: str) -> Iterator[Change]:
        if self.word(n + 1) == "join" and word in ("left", "inner"):
            yield self.change("join type", n, "inner" if word == "left" else "left")

    def _logic(self, n: int, word: str) -> Iterator[Change]:
        if word == "and":
            before = self.words[max(0, n - 6) : n]
            if "between" not in before:
                yield self.change("and, or", n, "or")
        elif word == "or":
            yield self.change("and, or", n, "and")
        elif word == "is" and self.word(n + 1) == "null":
            yield self.change("negation", n, "is not")
        elif word == "is" and self.word(n + 1) == "not":
            yield self.change("negation", n, "is", n + 1)
        elif word == "not" and self.word(n - 1) != "is":
            yield self.change("negation", n, "")

    def _window(self, n: int, word: str) -> Iterator[Change]:
        if word == "partition by":
            end = n + 1
            while self.word(end + 1) not in ("order by", "rows", ")", ""):
                end += 1
            yield self.change("key column dropped", n, "", end)
        elif word == "order by":
            end = n + 1
            while self.word(end + 1) not in ("rows", ")", ""):
                end += 1
                if self.word(end + 1) == ",":
                    yield self.change("order by direction", n + 1, f"{self.source(n + 1, end)} desc", end)
                    yield self.change("key column dropped", end + 1, "", end + 2)
            last = max(m for m in range(n, end) if self.words[m] in ("order by", ",")) + 1
            yield self.change("order by direction", last, f"{self.source(last, end)} desc", end)
        elif word == "rows" and self.word(n + 1) == "unbounded":
            yield self.change("window", n, "rows between current row and unbounded following", n + 2)
        elif word == "rows" and self.word(n + 1) == "between":
            end = n
            while self.word(end + 1) not in (")", ""):
                end += 1
            yield self.change("window", n, "rows unbounded preceding", end)

    def _look_alike(self, n: int, word: str) -> Iterator[Change]:
        instead = MISTAKEN_FOR.get(word)
        if instead is None or self.word(n - 1) == "as" or self.word(n + 1) in (".", "(") or self.word(n + 2) == "(":
            return
        clause = self.clause(n)
        first = n - 2 if self.word(n - 1) == "." else n
        if clause in ("group by", "partition by"):
            return  # another column to group or partition by is another query, which seldom runs
        alone = self.word(first - 1) in ("select", ",", "distinct") and self.word(n + 1) in (",", "from", "union", "")
        if clause == "select" and alone:
            instead = f"{instead} as {word}"
        yield self.change("column mistaken", n, instead)

    def _column(self, n: int, word: str) -> Iterator[Change]:
        """A column that is selected: clamped, rounded, in capitals, or another table's of the same name."""
        if (
            self.word(n - 1) == "as"
            or self.word(n + 1) in (".", "(")
            or self.clause(n) not in ("select", "then", "else")
        ):
            return
        table = self.word(n - 2) if self.word(n - 1) == "." else ""
        first = n - 2 if table else n
        named = self.source(first, n)
        alone = self.word(first - 1) in ("select", ",", "distinct") and self.word(n + 1) in (",", "from", "union", "")
        for operator, applies, instead in (
            ("clamp", word in CAN_BE_NEGATIVE, f"greatest({named}, 0)"),
            ("rounding", word.endswith(("_price", "cost_amount")), f"round({named})"),
            ("case and blanks", word in TEXTS, f"upper({named})"),
        ):
            if applies:
                yield self.change(operator, first, f"{instead} as {word}" if alone else instead, n)
        if table and self.function(n) != "coalesce" and "j" * 5 not in word:
            for other in self._joined_to(n):
                pairs = (f"{table}.{word} = {other}.{word}", f"{other}.{word} = {table}.{word}")
                if f"{other}.{word}" in self.text and not any(pair in self.text for pair in pairs):
                    yield self.change("wrong table", first, f"{other}.{self.tokens[n].text}", n)

    def _joined_to(self, n: int) -> list[str]:
        """The other tables of the select that a column of a table is in."""
        depth, m, found = self.depths[n], n, []
        while m + 1 < len(self.tokens) and self.depths[m] > 0 and self.words[m] != "from":
            m += 1
            depth = min(depth, self.depths[m])
        while (
            m + 1 < len(self.tokens) and self.depths[m] >= depth and self.words[m] not in ("where", "group by", "union")
        ):
            if self.words[m] in ("from", "join") and self.depths[m] == depth:
                found.append(self.word(m + 3) if self.word(m + 2) == "as" else self.word(m + 1))
            m += 1
        return [name for name in found if name != self.word(n - 2) and "j" * 5 not in name]

    def _conditions(self, n: int) -> Iterator[Change]:
        """Every condition of a where, on, having or when, taken for granted; every case turned round."""
        depth, starts, joins = self.depths[n], [n + 1], []
        m = n + 1
        while m < len(self.tokens) and self.depths[m] >= depth:
            word = self.words[m]
            if self.depths[m] == depth:
                if word in ENDS_CONDITION or word == ",":
                    break
                if word in ("and", "or") and "between" not in self.words[max(n, m - 6) : m]:
                    starts.append(m + 1)
                    joins.append(word)
            m += 1
        ends = [start - 2 for start in starts[1:]] + [m - 1]
        if self.words[n] == "when":
            yield self.change("negation", n + 1, f"not ({self.source(n + 1, m - 1)})", m - 1)
        neutral = "false" if "or" in joins else "true"
        for start_n, end_n in zip(starts, ends, strict=True):
            if end_n >= start_n:
                yield self.change("condition dropped", start_n, neutral, end_n)

    def _group_by(self, n: int) -> Iterator[Change]:
        """A column left out of a group by of several; where it is selected, any one of its values is."""
        columns: list[tuple[int, int]] = []
        m = n
        while True:
            last = m
            while self.word(last + 1) == "." or (self.word(last) == "." and last + 1 < len(self.tokens)):
                last += 1
            columns.append((m, last))
            if self.word(last + 1) != ",":
                break
            m = last + 2
        if len(columns) < 2 or any("j" * 5 in self.words[last] for _, last in columns):
            return
        select = next(
            (m for m in range(n, -1, -1) if self.words[m] == "select" and self.depths[m] == self.depths[n]), None
        )
        if select is None:
            return
        for number, (first, last) in enumerate(columns):
            named = self.words[first : last + 1]
            size = len(named)
            edits = []
            for m in range(select, n - 1):
                if (
                    self.words[m : m + size] == named
                    and self.depths[m] == self.depths[n]
                    and self.word(m - 1) in ("select", ",")
                    and self.word(m + size) in (",", "from")
                ):
                    least = f"min({self.source(m, m + size - 1)}) as {named[-1]}"
                    edits.append(Edit(self.tokens[m].start, self.tokens[m + size - 1].end + 1, least))
            start = self.tokens[first if number == 0 else first - 1].start
            end = self.tokens[last + 1].end + 1 if number == 0 else self.tokens[last].end + 1
            yield "key column dropped", (Edit(start, end, ""), *edits)


def _jinja_changes(text: str) -> Iterator[Change]:
    """Keys that lose a column, dates and keys mistaken for one another, hooks that are forgotten."""
    for names in re.finditer(r"(?:surrogate_key\(|unique_key=)(\['\w+'(?:, '\w+')+\])", text):
        columns = [column.strip() for column in names[1].strip("[]").split(",")]
        for column in columns:
            rest = ", ".join(other for other in columns if other != column)
            yield "key column dropped", (Edit(names.start(1), names.end(1), f"[{rest}]"),)
    for hook in re.finditer(r"^\s*pre_hook=\"\{\{ .*? \}\}\",$", text, re.MULTILINE):
        yield "hook dropped", (Edit(hook.start(), hook.end(), ""),)
    for day in re.finditer(r"(?:date_key|month_end)\('(?:\w+\.)?(\w+)'\)", text):
        if day[1] in MISTAKEN_FOR:
            yield "column mistaken", (Edit(day.start(1), day.end(1), MISTAKEN_FOR[day[1]]),)
    for pair in (("unknown_date_key()", "not_yet_date_key()"), ("beginning_of_time()", "end_of_time()")):
        for one, other in (pair, pair[::-1]):
            for call in re.finditer(r"(?<=\{\{ )" + re.escape(one), text):
                yield "constant", (Edit(call.start(), call.end(), other),)


def _slips(text: str) -> Iterator[Change]:
    """Today's version instead of the day's, weeks that start on Sunday, text as the source has it."""
    for bound in re.finditer(r"and (\S.*) >= (\w+)\.binds_from\s+and \1 < \2\.binds_to", text):
        yield "version of today", (Edit(bound.start(), bound.end(), f"and {bound[2]}.is_current"),)
    for week in re.finditer(r"(extract\(dow from \w+\)) \+ 6", text):
        yield "week start", (Edit(week.start(), week.end(), week[1]),)
    for trimmed in re.finditer(r"trim\((\w+)\) as", text):
        yield "case and blanks", (Edit(trimmed.start(), trimmed.end(), f"{trimmed[1]} as"),)
