"""All findings, and their page: first anything that breaks somebody's work, then data, then the rest."""

import dataclasses
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from catalog import lineage
from checks.changed import LintFinding
from review import changes, totals
from review.build import NOT_RUN
from review.changes import ContractBreak, ProjectChanges
from review.compare import Comparison, RelationDifference, seconds_of
from review.dbt import Manifest, NodeResult
from review.document import Block, FoldBlock, HeadingBlock, TableBlock, TextBlock, code

_BAD = {"fail", "error", "runtime error"}
_SHARED_KEY = "SQLSTATE 23505"
_SLOWER, _SLOWER_SECONDS = 1.5, 0.5
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
    before: dict[str, NodeResult] = dataclasses.field(default_factory=dict)
    after: dict[str, NodeResult] = dataclasses.field(default_factory=dict)
    differences: dict[str, RelationDifference] = dataclasses.field(default_factory=dict)
    added: dict[str, tuple[int, dict[str, tuple[str, str]]]] = dataclasses.field(default_factory=dict)
    """Rows of new models, and the type and the contents of each column."""
    fanned_out: dict[str, str] = dataclasses.field(default_factory=dict)
    """Models not built because several rows share a key, and how many do."""
    query_seconds: dict[str, tuple[float, float]] = dataclasses.field(default_factory=dict)
    """Of changed models' queries, each run by itself, before and after."""
    sales: list[totals.SalesTotal] = dataclasses.field(default_factory=list)
    reads: lineage.Lineage = dataclasses.field(default_factory=dict)
    lineage_error: str = ""
    lint: list[LintFinding] = dataclasses.field(default_factory=list)
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)
    invented: list[str] = dataclasses.field(default_factory=list)
    """Snapshots whose second versions the review made."""

    @property
    def failed(self) -> bool:
        return bool(self.head_error or self.breaks or self.broken_models or self.new_failures)

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
        """Changed relations whose later builds keep rows of earlier ones: a build from nothing says little of them."""
        kept = ("incremental", "snapshot")
        return [uid for uid in self.changes.changed if self.head["nodes"][uid]["config"].get("materialized") in kept]

    def trace_columns(self, built: dict[str, NodeResult]) -> None:
        """Follow the columns through the SQL of the base, and of the head as far as it builds."""
        compiled = {uid: result.compiled for uid, result in built.items()}
        known = {uid: node for uid, node in self.base["nodes"].items() if uid in compiled and not _is_test(uid)}
        nodes = {uid: node | {"compiled_code": compiled[uid]} for uid, node in known.items()}
        self._trace(self.base | {"nodes": nodes})
        for uid, result in self.after.items():
            if not _is_test(uid) and result.compiled:
                nodes[uid] = self.head["nodes"][uid] | {"compiled_code": result.compiled}
        self._trace(self.head | {"nodes": {uid: node for uid, node in nodes.items() if uid in self.head["nodes"]}})

    def _trace(self, manifest: Manifest) -> None:
        try:
            for column, parents in lineage.column_lineage(manifest).items():
                self.reads[column] = self.reads.get(column, set()) | parents
        except lineage.LineageError as error:
            if not self.breaks and not self.broken_models:  # else it is known what is wrong
                self.lineage_error = str(error)

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
                self.differences[uid] = comparison.compare(before, relation, keys, not_additive)
                queries = (self.before[uid].compiled, self.after[uid].compiled)
                if uid in self.changes.changed and uid.startswith("model.") and all(queries):
                    seconds = [seconds_of(connection, query) for query in queries]
                    if seconds[0] is not None and seconds[1] is not None:
                        self.query_seconds[uid] = (seconds[0], seconds[1])
            elif uid not in self.base["nodes"]:
                types = comparison.types(relation)
                contents = comparison.contents(relation, types)
                self.added[uid] = (comparison.count(relation), {name: (types[name], contents[name]) for name in types})
        names = {totals.FACT, *(dimension for dimension, *_ in totals.BY.values())}
        if names & {_name(uid) for uid in self.changes.affected + self.changes.removed}:
            self.sales = totals.compute(connection, self._before, self._after)

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
    changed, schema = found.data_changed(), found.schema_changed()
    if access := found.changes.access:
        said.append(f"who may read what changes in {_list(dict.fromkeys(item.model for item in access))}")
    if tests := found.changes.tests:
        gone = sum(what == ["gone"] for what in tests.values())
        said.append(f"tests gone: {gone}, tests that ask something else: {len(tests) - gone}")
    if changed:
        said.append(f"data of {len(changed)} relation{'' if len(changed) == 1 else 's'} changed: {_list(changed)}")
    if schema:
        said.append(f"columns changed in {_list(schema)}")
    if found.changes.added:
        said.append(f"new: {_list(found.changes.added)}")
    if found.changes.removed:
        said.append(f"removed: {_list(found.changes.removed)}")
    if not any((changed, found.broken_models, found.changes.added, found.changes.removed)):
        said.append("no change in data")
    if later := found.built_on():
        said.append(f"what later builds make of {_list(later)} may change, which is not shown")
    return [line[0].upper() + line[1:] + "." for line in said]


def blocks(found: Review) -> list[Block]:
    """The report, most urgent first."""
    head: list[Block] = [HeadingBlock("SQL review", 1), *(TextBlock(f"**{line}**") for line in verdict(found))]
    head.append(
        TextBlock(
            f"The working tree against {code(found.base_commit)} (BASE={code(found.base_name)}),"
            f" on the landing of {found.landing}."
        )
    )
    if found.head_error:
        return [*head, TextBlock(code(found.head_error, 1000)), *_lint(found)]
    return [
        *head,
        *_contracts(found),
        *_access(found),
        *_failures(found),
        *_overview(found),
        *_totals(found),
        *_details(found),
        *_columns(found),
        *_tests(found),
        *_times(found),
        *_lint(found),
        TextBlock(_notes(found)),
    ]


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
        out += [HeadingBlock("Broken contracts"), TableBlock(["what", "change", "read by", "exposures"], rows)]
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
    if rows:
        out += [
            HeadingBlock("Columns" if found.breaks else "Changed columns"),
            TableBlock(["column", "change", "read by"], rows),
        ]
    return out


def _all_readers(found: Review, uid: str) -> Columns:
    return {child: [] for child in sorted(changes.downstream(found.base, [uid]) - {uid})}


def _read_by(readers: Columns) -> str:
    return ", ".join(_column(uid, ", ".join(names)) for uid, names in readers.items()) or "nothing downstream"


def _access(found: Review) -> list[Block]:
    rows = [
        [code(_name(item.model)), code(item.subject), code(item.before), code(item.after)]
        for item in found.changes.access
    ]
    return [HeadingBlock("Who may read what"), TableBlock(["model", "what", "before", "after"], rows)] if rows else []


def _failures(found: Review) -> list[Block]:
    out: list[Block] = []
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
                code(safe_message(found.after[uid]), 1000),
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
    marts = [uid for uid in found.data_changed() if "marts" in found.head["nodes"][uid]["fqn"]]
    if marts:
        out.append(TextBlock(f"**Marts whose data changed:** {_list(marts)}."))
    exposures = found.exposures([*found.changes.affected, *found.changes.removed])
    if exposures:
        out.append(TextBlock(f"**Downstream exposures:** {', '.join(map(code, exposures))}."))
    return out


def _totals(found: Review) -> list[Block]:
    if not found.sales:
        return []
    out: list[Block] = [HeadingBlock("Sales")]
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
        lines = [(code(name), pair) for name, pair in differing.items()] + [("**all**", total.all())]
        rows = [
            [name, *(cell for n in (0, 1) for cell in (_money(old[n]), _money(new[n]), _delta(old[n], new[n])))]
            for name, (old, new) in lines
        ]
        names = [f"{what} {when}" for what in ("gross", "net") for when in ("before", "after", "difference")]
        out.append(TableBlock([total.by, *names], rows))
        if len(differing) < len(pairs):
            out.append(TextBlock(f"The same as before: {len(pairs) - len(differing)} of {len(pairs)}."))
    if same:
        gross, net = same[0].all()[0]
        by = ", by ".join(total.by for total in same)
        out.append(TextBlock(f"Unchanged by {by}: gross {_money(gross)}, net {_money(net)}."))
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
    if difference.sums:
        rows = [
            [code(name), _money(old), _money(new), _delta(old or 0, new or 0)]
            for name, (old, new) in difference.sums.items()
        ]
        out.append(TableBlock(["sum of", "before", "after", "difference"], rows))
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
    rows = []
    slower = []
    for uid in found.changes.affected:
        if uid not in found.after or found.after[uid].status != "success":
            continue
        before, after = found.before[uid].seconds if uid in found.before else None, found.after[uid].seconds
        alone = found.query_seconds.get(uid)
        rows.append([code(_name(uid)), _s(before), _s(after), *(map(_s, alone) if alone else ("–", "–"))])
        if clearly_slower(*(alone or (before, after))):
            slower.append(uid)
    if not rows:
        return []
    out: list[Block] = [HeadingBlock("Time")]
    out.append(TextBlock(f"**Clearly slower:** {_list(slower)}." if slower else "No query got clearly slower."))
    names = ["model", "build before", "build after", "query alone, before", "query alone, after"]
    out.append(FoldBlock("Seconds by model", [TableBlock(names, rows)]))
    return out


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


def _list(uids: Iterable[str]) -> str:
    return ", ".join(code(_name(uid)) for uid in uids)


def _count(number: int) -> str:
    return f"{number:,}" if number else "–"


def _s(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds:.2f}"


def _money(amount: Any) -> str:
    return "–" if amount is None else f"{amount:,}"


def _delta(old: Any, new: Any) -> str:
    difference = new - old
    return f"{'+' if difference > 0 else '−' if difference < 0 else ''}{abs(difference):,}"
