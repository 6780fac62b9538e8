"""All findings, and their page: first broken work of others, then data, then the rest."""

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from catalog import lineage
from checks.changed import LintFinding
from privacy.plan import ERASED_CLASSES
from review import changes, merge, totals
from review.build import NOT_RUN
from review.changes import ContractBreak, ProjectChanges
from review.compare import Comparison, RelationDifference, seconds_of
from review.dbt import Manifest, NodeResult
from review.document import Block, FoldBlock, HeadingBlock, TableBlock, TextBlock, code

_BAD = {"fail", "error", "runtime error"}
_SHARED_KEY = "SQLSTATE 23505"
_SLOWER, _SLOWER_SECONDS = 1.5, 0.5
_FEW = 3
Columns = dict[str, list[str]]
"""Columns by model."""


@dataclasses.dataclass
class Review:
    """Everything a report says."""

    base_name: str
    base_commit: str
    landing: str
    base: Manifest = dataclasses.field(default_factory=dict)
    head: Manifest = dataclasses.field(default_factory=dict)
    head_error: str = ""
    """Why the head does not parse."""
    changes: ProjectChanges = dataclasses.field(default_factory=lambda: ProjectChanges([], [], {}, [], []))
    breaks: list[ContractBreak] = dataclasses.field(default_factory=list)
    lost: dict[str, merge.HistoryLoss] = dataclasses.field(default_factory=dict)
    """Snapshots with less history than before, and its loss."""
    unread: dict[str, str] = dataclasses.field(default_factory=dict)
    """New and changed models beyond column lineage, and why."""
    before: dict[str, NodeResult] = dataclasses.field(default_factory=dict)
    after: dict[str, NodeResult] = dataclasses.field(default_factory=dict)
    differences: dict[str, RelationDifference] = dataclasses.field(default_factory=dict)
    added: dict[str, tuple[int, dict[str, tuple[str, str]]]] = dataclasses.field(default_factory=dict)
    """Rows of new models, and the type and the contents of each column."""
    fanned_out: dict[str, str] = dataclasses.field(default_factory=dict)
    """Models not built because several rows share a key, and how many do."""
    query_seconds: dict[str, tuple[float, float]] = dataclasses.field(default_factory=dict)
    """Before and after, each query by itself: of changed models, and of readers of changed rows."""
    sales: list[totals.SalesTotal] = dataclasses.field(default_factory=list)
    reads: lineage.Lineage = dataclasses.field(default_factory=dict)
    lineage_error: str = ""
    lint: list[LintFinding] = dataclasses.field(default_factory=list)
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)
    invented: list[str] = dataclasses.field(default_factory=list)
    """Snapshots whose second versions the review made."""

    @property
    def failed(self) -> bool:
        broken = self.breaks or self.lost or self.unread or self.broken_models or self.new_failures
        return bool(self.head_error or broken)

    @property
    def broken_models(self) -> list[str]:
        """Relations that no longer build, and those skipped because of them."""
        return [uid for uid, result in self._results(tests=False) if result.status != "success" and self._built(uid)]

    @property
    def new_failures(self) -> list[str]:
        return [
            uid for uid, result in self._results(tests=True) if result.status in _BAD and not self._failed_before(uid)
        ]

    @property
    def old_failures(self) -> list[str]:
        return [uid for uid, result in self._results(tests=True) if result.status in _BAD and self._failed_before(uid)]

    @property
    def not_run(self) -> list[str]:
        """Tests of relations that were not built."""
        return [uid for uid, result in self._results(tests=True) if result.status == NOT_RUN]

    @property
    def fixed(self) -> list[str]:
        """Tests that failed on the base and now pass, or are gone."""
        failed = [uid for uid in self.before if _is_test(uid) and self._failed_before(uid)]
        return [uid for uid in failed if uid not in self.after or self.after[uid].status not in {*_BAD, NOT_RUN}]

    def _results(self, tests: bool) -> list[tuple[str, NodeResult]]:
        return [(uid, result) for uid, result in sorted(self.after.items()) if _is_test(uid) == tests]

    def _built(self, uid: str) -> bool:
        return uid not in self.before or self.before[uid].status == "success"

    def _failed_before(self, uid: str) -> bool:
        return uid in self.before and self.before[uid].status in _BAD

    def personal(self) -> set[str]:
        """Names of columns with personal data: marked as such, or made of a marked one and not said to be none."""
        marked = changes.personal(self.base, self.head)
        harmless = changes.said_to_be_harmless(self.base)
        reads = {column: parents for column, parents in self.reads.items() if column not in harmless}
        made = lineage.downstream(reads, {column for column in self._all_columns() if column[1] in marked})
        return marked | {name for _, name in made}

    def _all_columns(self) -> set[lineage.Column]:
        return self.reads.keys() | set().union(*self.reads.values())

    def built_on(self) -> list[str]:
        """Changed models whose later builds keep rows of earlier ones: a build from nothing says little of them."""
        nodes = self.head["nodes"]
        return [uid for uid in self.changes.changed if nodes[uid]["config"].get("materialized") == "incremental"]

    def trace_columns(self, built: dict[str, NodeResult]) -> None:
        """Follow the columns through the SQL of the base, and of the head as far as it builds."""
        compiled = {uid: result.compiled for uid, result in built.items()}
        known = {uid: node for uid, node in self.base["nodes"].items() if uid in compiled and not _is_test(uid)}
        nodes = {uid: node | {"compiled_code": compiled[uid]} for uid, node in known.items()}
        self._trace(self.base | {"nodes": nodes})
        for uid, result in self.after.items():
            if not _is_test(uid) and result.compiled:
                nodes[uid] = self.head["nodes"][uid] | {"compiled_code": result.compiled}
        unread = self._trace(self.head | {"nodes": {uid: nodes[uid] for uid in nodes if uid in self.head["nodes"]}})
        own = {*self.changes.added, *self.changes.changed} - {*self.broken_models}
        self.unread = {uid: reason for uid, reason in unread.items() if uid in own}

    def _trace(self, manifest: Manifest) -> dict[str, str]:
        unread: dict[str, str] = {}
        try:
            for column, parents in lineage.column_lineage(manifest, unread=unread).items():
                self.reads[column] = self.reads.get(column, set()) | parents
        except lineage.LineageError as error:
            if not self.breaks and not self.broken_models:  # else it is known what is wrong
                self.lineage_error = str(error)
        return unread

    def _natural(self, uid: str, keys: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
        """For each hashed key, the columns it is made of."""
        found = []
        for key in keys:
            if len(key) == 1 and key[0].endswith("_key"):
                names = {name for _, name in lineage.upstream(self.reads, (uid, key[0]))}
                columns = self.head["nodes"][uid]["columns"]
                found.append(tuple(name for name in columns if name in names and not name.endswith("_key")))
        return [key for key in found if key]

    def compare(self, connection: Any, comparison: Comparison) -> None:
        """Compare every relation both sides have built, and the totals if one of theirs is among them."""
        for uid in self.changes.affected:
            if not self._has(self.after, uid):
                if uid in self.after and _SHARED_KEY in self.after[uid].message:
                    keys = changes.keys(uid, self.head, self.base)
                    self.fanned_out[uid] = comparison.shared_keys(self.after[uid].compiled, keys)
                continue
            relation = self.head["nodes"][uid]["relation_name"]
            if self._has(self.before, uid):
                keys = changes.keys(uid, self.head, self.base)
                before = self.base["nodes"][uid]["relation_name"]
                not_additive = changes.not_additive(self.head["nodes"][uid])
                natural = self._natural(uid, keys)
                self.differences[uid] = comparison.compare(before, relation, keys, not_additive, natural)
                self._time(uid, connection)
            elif uid not in self.base["nodes"]:
                types = comparison.types(relation)
                contents = comparison.contents(relation, types)
                self.added[uid] = (comparison.count(relation), {name: (types[name], contents[name]) for name in types})
        names = {totals.FACT, *(dimension for dimension, *_ in totals.BY.values())}
        if names & {_name(uid) for uid in self.changes.affected + self.changes.removed}:
            self.sales = totals.compute(connection, self._before, self._after)

    def _time(self, uid: str, connection: Any) -> None:
        """Run the query of both sides alone, twice in turn, if it was changed, or took longer and reads other rows."""
        old, new = self.before[uid], self.after[uid]
        parents = self.head["nodes"][uid].get("depends_on", {}).get("nodes", [])
        reads_changed = any(parent in self.data_changed() for parent in parents)
        wanted = uid in self.changes.changed or (reads_changed and clearly_slower(old.seconds, new.seconds))
        if wanted and uid.startswith("model.") and old.compiled and new.compiled:
            rounds = [(seconds_of(connection, old.compiled), seconds_of(connection, new.compiled)) for _ in range(2)]
            before, after = zip(*rounds, strict=True)
            if None not in (*before, *after):
                self.query_seconds[uid] = (min(before), min(after))

    def _has(self, results: dict[str, NodeResult], uid: str) -> bool:
        return uid in results and results[uid].status == "success"

    def _before(self, name: str) -> str | None:
        return next((node["relation_name"] for uid, node in _models(self.base) if node["name"] == name), None)

    def _after(self, name: str) -> str | None:
        for uid, node in _models(self.head):
            if node["name"] == name:
                if uid not in self.changes.affected:
                    return self._before(name)
                return str(node["relation_name"]) if self._has(self.after, uid) else None
        return None

    def sums(self) -> dict[tuple[str, Any, Any], list[str]]:
        """Column, sum before and after, with all its relations, marts first; sales and common ones first."""
        found: dict[tuple[str, Any, Any], list[str]] = {}
        for uid in sorted(self.differences, key=lambda uid: not self.is_mart(uid)):
            for name, (old, new) in self.differences[uid].sums.items():
                found.setdefault((name, old, new), []).append(uid)
        return dict(sorted(found.items(), key=lambda item: ("sales" not in item[0][0], -len(item[1]), item[0][0])))

    def is_mart(self, uid: str) -> bool:
        return "marts" in self.head["nodes"].get(uid, {}).get("fqn", ())

    def data_changed(self) -> list[str]:
        return [uid for uid, difference in self.differences.items() if difference.has_new_data]

    def schema_changed(self) -> list[str]:
        return [uid for uid, difference in self.differences.items() if difference.has_new_schema]

    def readers(self, uid: str, column: str) -> Columns:
        """Columns downstream, made of this one; models that only name it (to join, say) come without any."""
        found: Columns = {}
        for reader, name in sorted(lineage.downstream(self.reads, {(uid, column)})):
            if reader != uid:
                found.setdefault(reader, []).append(name)
        for child in self.base["child_map"].get(uid, []):
            sql = changes.bare(self.base["nodes"].get(child, {}).get("raw_code") or "")
            if child.startswith(("model.", "snapshot.")) and re.search(rf"\b{re.escape(column)}\b", sql):
                found.setdefault(child, [])
        return found

    def exposures(self, uids: Iterable[str]) -> list[str]:
        """Names of exposures that use one of these relations, before or after."""
        wanted = set(uids)
        found = {
            exposure.get("label") or exposure["name"]
            for manifest in (self.base, self.head)
            for exposure in manifest.get("exposures", {}).values()
            if wanted & set(exposure["depends_on"]["nodes"])
        }
        return sorted(found)


def verdict(found: Review) -> list[str]:
    """The outcome in a few lines, as printed and as the report begins."""
    if found.head_error:
        return ["The project does not parse: nothing could be compared."]
    said = []
    for uids, text in (
        ([item.model for item in found.breaks], "{} broken contract{s}"),
        (found.broken_models, "{} model{s} no longer built"),
        (found.new_failures, "{} test{s} newly failing"),
        (found.fixed, "{} test{s} fixed"),
    ):
        if uids:
            said.append(text.format(len(uids), s="" if len(uids) == 1 else "s"))
    for what in dict.fromkeys(loss.what for loss in found.lost.values()):
        losses = {uid: loss for uid, loss in found.lost.items() if loss.what == what}
        failing = sorted({test for loss in losses.values() for test in loss.tests})
        red = f"; builds fail at the next change: {', '.join(map(code, failing))}" if failing else ""
        said.append(f"{_list(losses)} {what}{red}")
    if found.unread:
        said.append(f"column lineage cannot read {_list(found.unread)}, so erasure and the docs could not either")
    said += _causes(found)
    effects = [(item, *_effect(found, item)) for item in found.changes.access]
    for who, text in (
        ("readers", "who may read what changes in"),
        ("erasure", "`make erase` changes for"),
    ):
        if models := list(dict.fromkeys(item.model for item, concerned, _ in effects if who in concerned)):
            said.append(f"{text} {_list(models)}")
    if tests := found.changes.tests:
        gone = sum(what == ["gone"] for what in tests.values())
        said.append(f"tests gone: {gone}, tests that ask something else: {len(tests) - gone}")
    said += _moves(found)
    if schema := found.schema_changed():
        said.append(f"columns changed in {_list(schema, 5)}")
    if found.changes.added:
        said.append(f"new: {_list(found.changes.added)}")
    if found.changes.removed:
        said.append(f"removed: {_list(found.changes.removed)}")
    later = found.built_on()
    if not any((found.data_changed(), found.broken_models, found.changes.added, found.changes.removed)):
        built_on = [*later, *found.lost]
        said.append("a build from nothing gives the same data" if built_on else "no change in data")
    if later:
        said.append(f"what later builds make of {_list(later, 5)} may change, which is not shown")
    return [line[0].upper() + line[1:] + "." for line in said]


def _causes(found: Review) -> list[str]:
    """Settings and macros of several relations, each once."""
    said = [
        f"setting {code(name)}: {code(before)} → {code(after)} in {len(uids):,} relation{'' if len(uids) == 1 else 's'}"
        for (name, before, after), uids in changes.settings(found.base, found.head, found.changes.changed).items()
        if len(uids) > 2 or name.startswith("var ")
    ]
    macros = Counter(part for parts in found.changes.changed.values() for part in parts if part.startswith("macro "))
    return said + [
        f"macro {code(part.removeprefix('macro '))} is another in {count:,} relations"
        for part, count in macros.items()
        if count > 2
    ]


def _moves(found: Review) -> list[str]:
    """Amounts, rows and values on the move, in marts if any moves; the first few of each kind."""
    changed = found.data_changed()
    marts = [uid for uid in changed if found.is_mart(uid)]
    if not changed:
        return []
    seen = marts or changed
    amounts = [
        f"{code(name)} {_money(old)} → {_money(new)} ({_percent(old, new)}) in {_list(shown, 2)}"
        for (name, old, new), uids in found.sums().items()
        if (shown := [uid for uid in uids if uid in seen])
    ]
    rows = [
        f"{code(_name(uid))} {before:,} → {after:,} rows ({_percent(before, after)})"
        for uid, (before, after) in ((uid, found.differences[uid].rows) for uid in seen)
        if before != after
    ]
    values = [
        (change.values, f"{_column(uid, name)} in {change.values:,} of {found.differences[uid].rows[1]:,} rows{empty}")
        for uid in seen
        for name, change in found.differences[uid].columns.items()
        for empty in [f" (now empty: {change.emptied:,})" if change.emptied else ""]
    ]
    counts = [(len(marts), "mart"), (len(changed) - len(marts), "other model")]
    where = " and ".join(f"{count} {name}{'' if count == 1 else 's'}" for count, name in counts if count)
    said = [_first(amounts) or "no sum of an amount or a quantity changes", _first(rows)]
    if not amounts and not rows:
        said.append(_first([text for _, text in sorted(values, key=lambda item: -item[0])]))
    return [f"data changed in {where}: {'; '.join(filter(None, said))}"]


def _first(texts: list[str]) -> str:
    more = len(texts) - _FEW
    return "; ".join(texts[:_FEW]) + (f"; and {more:,} more" if more > 0 else "")


def blocks(found: Review) -> list[Block]:
    """The report: verdict, breakage, steps after the merge, exposures; all else behind folds."""
    head: list[Block] = [HeadingBlock("SQL review", 1), *(TextBlock(f"**{line}**") for line in verdict(found))]
    head.append(
        TextBlock(
            f"The working tree against {code(found.base_commit)} (BASE={code(found.base_name)}),"
            f" on the landing of {found.landing}."
        )
    )
    if found.head_error:
        return [*head, TextBlock(code(found.head_error, 1000)), *_lint(found)]
    details = (_columns_changed, _overview, _amounts, _totals, _details, _columns, _tests, _times, _lint)
    return [
        *head,
        *_contracts(found),
        *_access(found),
        *_failures(found),
        *_after_the_merge(found),
        *_affected(found),
        *(block for section in details for block in _folded(section(found))),
        TextBlock(_notes(found)),
    ]


def _folded(section: list[Block]) -> list[Block]:
    """A section behind its heading."""
    return [FoldBlock(section[0].text, section[1:])] if section and isinstance(section[0], HeadingBlock) else section


def _after_the_merge(found: Review) -> list[Block]:
    moved = [uid for uid in found.changes.affected if uid in {*found.data_changed(), *found.schema_changed()}]
    by_itself, told = merge.stored_with_old_code(found.base, found.head, moved)
    steps = []
    if told:
        command = merge.full_refresh(found.head, [*found.changes.changed, *found.changes.added], told)
        steps.append(
            f"Run {code(command, 1000)} before the next build: {_list(told)} hold what the old code made, and a build"
            f" only adds to them. It takes about {found.seconds.get('build the head', 0):.0f} s here, as this review's"
            " build and tests of the same models did."
        )
    if by_itself:
        seconds = sum(found.after[uid].seconds for uid in by_itself)
        steps.append(f"Nothing for {_list(by_itself)}: the next build fills them anew, in about {seconds:.0f} s here.")
    if found.changes.removed:
        steps.append(f"Drop {_list(found.changes.removed)} by hand: dbt leaves the tables of models that are gone.")
    return (
        [HeadingBlock("After the merge"), *(TextBlock(f"{n}. {step}") for n, step in enumerate(steps, 1))]
        if steps
        else []
    )


def _affected(found: Review) -> list[Block]:
    touched = {*found.data_changed(), *found.schema_changed(), *found.broken_models, *found.changes.removed}
    exposures = {**found.base.get("exposures", {}), **found.head.get("exposures", {})}.values()
    rows = [
        [code(item.get("label") or item["name"]), item["type"], item["owner"].get("name") or "–", _list(read, 4)]
        for item in exposures
        if (read := [uid for uid in item["depends_on"]["nodes"] if uid in touched])
    ]
    return [HeadingBlock("Who is affected"), TableBlock(["exposure", "kind", "owner", "reads"], rows)] if rows else []


def _contracts(found: Review) -> list[Block]:
    out: list[Block] = []
    if found.breaks:
        rows = []
        for item in found.breaks:
            readers = found.readers(item.model, item.column) if item.column else _all_readers(found, item.model)
            what = item.what
            renamed = (
                found.differences[item.model].renamed.get(item.column) if item.model in found.differences else None
            )
            if renamed:
                what += f"; renamed to {code(renamed)}, the values are the same"
            exposures = found.exposures([item.model, *readers])
            rows.append(
                [_column(item.model, item.column), what, _read_by(readers), ", ".join(map(code, exposures)) or "–"]
            )
        out += [
            HeadingBlock("Broken contracts"),
            TableBlock(["what", "change", "read by", "exposures"], _grouped(rows)),
        ]
    return out


def _grouped(rows: list[list[str]]) -> list[list[str]]:
    """Rows of one change as one, if there are many."""
    by_change: dict[str, list[list[str]]] = {}
    for row in rows:
        by_change.setdefault(row[1], []).append(row)
    return [
        row
        for change, same in by_change.items()
        for row in (same if len(same) <= _FEW else [[_first([row[0] for row in same]), change, "–", "–"]])
    ]


def _columns_changed(found: Review) -> list[Block]:
    broken = {(item.model, item.column) for item in found.breaks}
    rows = []
    for uid, difference in found.differences.items():
        for name in difference.gone:
            if (uid, name) not in broken:
                to = difference.renamed.get(name)
                what = f"renamed to {code(to)}, the values are the same" if to else "removed"
                rows.append([_column(uid, name), what, _read_by(found.readers(uid, name))])
        for name, (before, after) in difference.retyped.items():
            if (uid, name) not in broken:
                rows.append([_column(uid, name), f"{before} → {after}", _read_by(found.readers(uid, name))])
        for name in difference.new:
            if name not in difference.renamed.values():
                what = f"new, {difference.types[1][name]}; {difference.contents[name]}"
                rows.append([_column(uid, name), what, "–"])
    return [HeadingBlock("Changed columns"), TableBlock(["column", "change", "read by"], rows)] if rows else []


def _all_readers(found: Review, uid: str) -> Columns:
    return {child: [] for child in sorted(changes.downstream(found.base, [uid]) - {uid})}


def _read_by(readers: Columns) -> str:
    return ", ".join(_column(uid, ", ".join(names)) for uid, names in readers.items()) or "nothing downstream"


def _access(found: Review) -> list[Block]:
    rows = [
        [code(_name(item.model)), code(item.subject), code(item.before), code(item.after), _effect(found, item)[1]]
        for item in found.changes.access
    ]
    head = ["model", "what", "before", "after", "effect"]
    return [HeadingBlock("Who may read what"), TableBlock(head, rows)] if rows else []


def _effect(found: Review, item: changes.AccessChange) -> tuple[set[str], str]:
    """The parties to a change of rights, readers or erasure, and its effect in fact."""
    what = item.subject.rpartition(": ")[2]
    if what not in ("pii", "mask"):
        return {"readers"}, {"grants": "other readers"}.get(what, "see its code")
    concerned, said = set(), []
    if found.is_mart(item.model):
        clear = [value in ("–", "false") for value in (item.before, item.after)]
        if what == "mask" or clear[0] != clear[1]:
            concerned.add("readers")
            said.append(
                "another mask" if what == "mask" else f"analysts read it {'in clear' if clear[1] else 'masked'}"
            )
    else:
        said.append("analysts see what they saw: each mart has its own mark")
    is_source = item.model.startswith("source.")
    erased = [value in ERASED_CLASSES if is_source else value != "false" for value in (item.before, item.after)]
    if what == "pii" and erased[0] != erased[1]:
        concerned.add("erasure")
        said.append(f"`make erase` {'reaches' if erased[1] else 'leaves'} it and what is made of it")
    return concerned, "; ".join(said) or "none"


def _failures(found: Review) -> list[Block]:
    out: list[Block] = []
    if found.unread:
        remedy = "write it without recursion, `using` or `values`"
        rows = [[code(_name(uid)), code(reason, 200), remedy] for uid, reason in found.unread.items()]
        out += [HeadingBlock("Column lineage cannot read"), TableBlock(["model", "because", "remedy"], rows)]
    if found.broken_models:
        skipped = [uid for uid in found.broken_models if found.after[uid].status == "skipped"]
        rows = [
            [
                code(_name(uid)),
                "; ".join(filter(None, (code(safe_message(found.after[uid]), 1000), found.fanned_out.get(uid)))),
            ]
            for uid in found.broken_models
            if uid not in skipped
        ]
        out += [HeadingBlock("No longer built"), TableBlock(["model", "because"], rows)]
        if skipped:
            out.append(TextBlock(f"And, for want of it: {_list(skipped)}."))
    if found.new_failures:
        rows = [
            [
                code(_name(uid)),
                ", ".join(code(name) for name in _tested(found, uid)),
                code(safe_message(found.after[uid]), 160),
            ]
            for uid in found.new_failures
        ]
        out += [HeadingBlock("Tests that newly fail"), TableBlock(["test", "of", "dbt says"], rows)]
    return out


def safe_message(result: NodeResult) -> str:
    """dbt's message without the values of rows that a database adds."""
    text = re.sub(r"\s+", " ", re.split(r"\n\s*(?:DETAIL|CONTEXT|compiled code at)", result.message)[0]).strip()
    text = re.sub(r"^(?:Database|Runtime|Compilation) Error in \w+ \S+ \(\S+\) ", "", text)
    return re.sub(r': ".*', ": …", text)


def _overview(found: Review) -> list[Block]:
    out: list[Block] = [HeadingBlock("Models")]
    rows, same = [], []
    for uid in found.changes.affected:
        what = ", ".join(found.changes.changed[uid]) if uid in found.changes.changed else "downstream"
        if uid in found.differences:
            difference = found.differences[uid]
            if what == "downstream" and not difference.has_new_data and not difference.has_new_schema:
                same.append(uid)
                continue
            before, after = difference.rows
            counts = [_count(number) for number in (difference.added, difference.removed, difference.changed)]
            values = sum(change.values for change in difference.columns.values())
            rows.append([code(_name(uid)), what, f"{before:,}", f"{after:,}", *counts, _count(values)])
        elif uid in found.added:
            count = found.added[uid][0]
            rows.append([code(_name(uid)), "**added**", "–", f"{count:,}", f"+{count:,}", "–", "–", "–"])
        else:
            status = found.after[uid].status if uid in found.after else "no table of its own"
            status = {"error": "**does not build**", "skipped": "not built"}.get(status, status)
            rows.append([code(_name(uid)), f"{what}; {status}", *["–"] * 6])
    rows += [[code(_name(uid)), "**removed**", *["–"] * 6] for uid in found.changes.removed]
    if rows:
        names = ["model", "change", "rows before", "rows after", "added", "removed", "changed", "values changed"]
        out.append(TableBlock(names, rows))
    else:
        out.append(TextBlock("None was added, removed or changed."))
    if same:
        out.append(TextBlock(f"Downstream, built, compared, and the same as before: {_list(same)}."))
    if found.changes.text_only:
        text_only = _list(found.changes.text_only)
        out.append(
            TextBlock(f"Only comments, layout or descriptions differ, no change in data: {text_only}. Not built.")
        )
    marts = [uid for uid in found.data_changed() if found.is_mart(uid)]
    if marts:
        out.append(TextBlock(f"**Marts whose data changed:** {_list(marts)}."))
    return out


def _amounts(found: Review) -> list[Block]:
    """Every sum that differs, once."""
    rows = [
        [code(name), _money(old), _money(new), _delta(old or 0, new or 0), _percent(old, new), _list(uids)]
        for (name, old, new), uids in found.sums().items()
    ]
    head = ["sum of", "before", "after", "difference", "%", "in"]
    return [HeadingBlock("Amounts"), TableBlock(head, rows)] if rows else []


def _totals(found: Review) -> list[Block]:
    if not found.sales:
        return []
    out: list[Block] = [HeadingBlock("Gross and net sales")]
    same = []
    for total in found.sales:
        if total.problem:
            out.append(TextBlock(f"By {total.by}: {total.problem}."))
            continue
        zero = (Decimal(0), Decimal(0))
        pairs = {
            name: (total.before.get(name, zero), total.after.get(name, zero))
            for name in sorted(total.before.keys() | total.after.keys())
        }
        differing = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
        if not differing:
            same.append(total)
            continue
        rows = [
            [code(name), *(cell for n in (0, 1) for cell in (_money(old[n]), _money(new[n]), _delta(old[n], new[n])))]
            for name, (old, new) in differing.items()
        ]
        names = [f"{what} {when}" for what in ("gross", "net") for when in ("before", "after", "difference")]
        out.append(TableBlock([total.by, *names], rows))
        if len(differing) < len(pairs):
            out.append(TextBlock(f"The same as before: {len(pairs) - len(differing)} of {len(pairs)}."))
    if same:
        gross, net = same[0].all()[0]
        by = ", by ".join(total.by for total in same)
        out.append(TextBlock(f"Gross ({_money(gross)}) and net sales ({_money(net)}) are the same by {by}."))
    return out


def _details(found: Review) -> list[Block]:
    out: list[Block] = []
    for uid, difference in found.differences.items():
        if difference.has_new_data:
            out.append(FoldBlock(_summary(uid, difference), _detail(difference)))
    for uid, (count, columns) in found.added.items():
        rows = [[code(name), *about] for name, about in columns.items()]
        out.append(
            FoldBlock(f"`{_name(uid)}`: new, {count:,} rows", [TableBlock(["column", "type", "contents"], rows)])
        )
    return [HeadingBlock("Data, model by model"), *out] if out else []


def _summary(uid: str, difference: RelationDifference) -> str:
    counts = {"added": difference.added, "removed": difference.removed, "changed": difference.changed}
    said = ", ".join(f"{count:,} rows {what}" for what, count in counts.items() if count)
    return f"`{_name(uid)}`: {said or 'the rows are the same'}"


def _detail(difference: RelationDifference) -> list[Block]:
    key = f"Rows are told apart by {', '.join(map(code, difference.key))}." if difference.key else ""
    note = difference.key_note[:1].upper() + difference.key_note[1:] + "." if difference.key_note else ""
    out: list[Block] = [TextBlock(" ".join(filter(None, (key, note))))]
    for what, keys in (("added", difference.added_examples), ("removed", difference.removed_examples)):
        if keys:
            out.append(TextBlock(f"For example {what}: {', '.join(map(code, keys))}."))
    if difference.columns:
        ordered = sorted(difference.columns.items(), key=lambda item: -item[1].values)
        rows = [
            [
                code(name),
                f"{change.values:,}",
                "; ".join(f"{code(key, 40)}: {code(old, 40)} → {code(new, 40)}" for key, old, new in change.examples)
                or "–",
            ]
            for name, change in ordered
        ]
        out.append(TableBlock(["column", "values changed", "examples (key: before → after)"], rows))
    return out


def _columns(found: Review) -> list[Block]:
    rows = []
    for uid in found.changes.changed:
        difference = found.differences.get(uid)
        for name in difference.columns if difference else []:
            readers = found.readers(uid, name)
            if readers:
                rows.append(
                    [_column(uid, name), _read_by(readers), ", ".join(map(code, found.exposures(readers))) or "–"]
                )
    out: list[Block] = []
    if rows:
        out = [HeadingBlock("Who reads the changed columns"), TableBlock(["column", "read by", "exposures"], rows)]
    if found.lineage_error:
        out.append(TextBlock(f"Column lineage is incomplete: {code(found.lineage_error, 300)}"))
    return out


def _tests(found: Review) -> list[Block]:
    run = [result for uid, result in found.after.items() if _is_test(uid)]
    changed = found.changes.tests
    if not run and not changed:
        return []
    passed = sum(result.status in ("pass", "success") for result in run)
    lines: list[Block] = [
        HeadingBlock("Tests"),
        TextBlock(f"{len(run):,} concerned, {passed:,} passed, {len(found.new_failures):,} newly failing."),
    ]
    if changed:
        rows = [[code(_name(uid)), ", ".join(what)] for uid, what in changed.items()]
        lines.append(TableBlock(["test of the base", "now"], rows))
    if found.not_run:
        lines.append(TextBlock(f"Not run, since what they read was not built: {_list(found.not_run)}."))
    if found.fixed:
        lines.append(TextBlock(f"Fixed: {', '.join(code(_name(uid)) for uid in found.fixed)}."))
    if found.old_failures:
        lines.append(TextBlock(f"Failing as before: {', '.join(code(_name(uid)) for uid in found.old_failures)}."))
    warned = [uid for uid, result in found.after.items() if _is_test(uid) and result.status == "warn"]
    if warned:
        lines.append(TextBlock(f"Warning: {', '.join(code(_name(uid)) for uid in warned)}."))
    return lines


def _times(found: Review) -> list[Block]:
    rows = [
        [code(_name(uid)), _s(found.before[uid].seconds), _s(found.after[uid].seconds), *map(_s, alone)]
        for uid, alone in found.query_seconds.items()
    ]
    if not rows:
        return []
    slower = [uid for uid, alone in found.query_seconds.items() if clearly_slower(*alone)]
    names = ["model", "build before", "build after", "query alone, before", "query alone, after"]
    said = f"**Clearly slower:** {_list(slower)}." if slower else "No query got clearly slower."
    return [HeadingBlock("Time"), TextBlock(said), TableBlock(names, rows)]


def clearly_slower(before: float | None, after: float | None) -> bool:
    """Half as long again, and by half a second: less is noise."""
    return before is not None and after is not None and after > before * _SLOWER and after > before + _SLOWER_SECONDS


def _lint(found: Review) -> list[Block]:
    if not found.lint:
        return []
    rows = [[code(f"{item.path}:{item.line}"), item.rule, code(item.text, 200)] for item in found.lint]
    return [HeadingBlock("Lint, changed files"), TableBlock(["where", "rule", "what"], rows)]


def _notes(found: Review) -> str:
    seconds = sum(found.seconds.values())
    return (
        "Both sides start from the warehouse's snapshots and the same landing; incremental models are built as by a"
        f" full refresh. {_invented(found)}Personal data is masked."
        + (f" Made in {seconds:.0f} s." if found.seconds else "")
        + " The rows stay in the schemas `review_base_*` and `review_head_*` until the next review."
    )


def _invented(found: Review) -> str:
    if not found.invented:
        return ""
    return f"No key had a second version in {_list(found.invented)}, so each but the last was given an older one. "


def _tested(found: Review, uid: str) -> list[str]:
    test = found.head["nodes"].get(uid) or found.head["unit_tests"][uid]
    return [
        _name(parent) for parent in test["depends_on"]["nodes"] if parent.startswith(("model.", "snapshot.", "seed."))
    ]


def _models(manifest: Manifest) -> Iterable[tuple[str, Any]]:
    return ((uid, node) for uid, node in manifest["nodes"].items() if node["resource_type"] == "model")


def _is_test(uid: str) -> bool:
    return uid.startswith(("test.", "unit_test."))


def _name(uid: str) -> str:
    parts = uid.split(".")
    if uid.startswith("unit_test."):
        return f"{parts[2]}: {parts[3]}"
    return ".".join(parts[2:3] if uid.startswith("test.") else parts[2:])


def _column(uid: str, column: str) -> str:
    return code(
        f"{_name(uid)}.{column}" if column and ", " not in column else _name(uid) + (f" ({column})" if column else ""),
        300,
    )


def _list(uids: Iterable[str], limit: int = 1000) -> str:
    names = [code(_name(uid)) for uid in uids]
    more = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {more:,} more" if more > 0 else "")


def _count(number: int) -> str:
    return f"{number:,}" if number else "–"


def _s(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds:.2f}"


def _money(amount: Any) -> str:
    return "–" if amount is None else f"{amount:,}"


def _percent(old: Any, new: Any) -> str:
    if not old or new is None:
        return "–"
    share = abs(float(new - old) / float(old)) * 100
    return (
        f"{'+' if new > old else '−'}{share:,.1f} %" if share >= 0.05 else f"{'+' if new > old else '−'}{share:.2g} %"
    )


def _delta(old: Any, new: Any) -> str:
    difference = new - old
    return f"{'+' if difference > 0 else '−' if difference < 0 else ''}{abs(difference):,}"
