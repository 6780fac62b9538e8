"""All findings, and their page: first broken work of others, then data, then the rest."""

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from catalog import lineage
from privacy.plan import ERASED_CLASSES
from review import changes, merge
from review.build import NOT_RUN
from review.changes import ContractBreak, ProjectChanges
from review.compare import Comparison, RelationDifference, seconds_of
from review.dbt import Manifest, NodeResult
from review.document import Block, CheckBlock, FoldBlock, GraphBlock, HeadingBlock, TableBlock, TextBlock, code

_BAD = {"fail", "error", "runtime error"}
_SHARED_KEY = "SQLSTATE 23505"
_SLOWER, _SLOWER_SECONDS = 1.5, 0.5
_FEW, _SHOWN = 3, 5
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
    reads: lineage.Lineage = dataclasses.field(default_factory=dict)
    lineage_error: str = ""
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
    def uncompared(self) -> list[str]:
        """Relations that both sides have, and the base does not build."""
        return [uid for uid in self.changes.affected if uid in self.before and not self._has(self.before, uid)]

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
        """Compare every relation both sides have built."""
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

    def sums(self) -> dict[tuple[str, Any, Any], list[str]]:
        """Column, sum before and after, with all its relations, marts first; sales and common ones first."""
        found: dict[tuple[str, Any, Any], list[str]] = {}
        for uid in sorted(self.differences, key=lambda uid: not self.is_mart(uid)):
            for name, (old, new) in self.differences[uid].sums.items():
                found.setdefault((name, old, new), []).append(uid)
        return dict(sorted(found.items(), key=lambda item: ("sales" not in item[0][0], -len(item[1]), item[0][0])))

    def access_changed(self, who: str) -> list[str]:
        """Relations with other rights of ``readers``, or with another reach of ``erasure``."""
        return list(dict.fromkeys(item.model for item in self.changes.access if who in _effect(self, item)[0]))

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
        red = f"; builds fail at the next change: {_first([code(name) for name in failing])}" if failing else ""
        said.append(f"{_few(losses)} {what}{red}")
    if found.unread:
        said.append(f"column lineage cannot read {_few(found.unread)}, so erasure and the docs could not either")
    said += _moves(found)
    if schema := found.schema_changed():
        said.append(f"columns changed in {_few(schema)}")
    if found.changes.added:
        said.append(f"new: {_few(found.changes.added)}")
    if found.changes.removed:
        said.append(f"removed: {_few(found.changes.removed)}")
    later = found.built_on()
    if found.uncompared:
        said.append(f"nothing is known of the data in {_few(found.uncompared)}: the base does not build it")
    elif not any((found.data_changed(), found.broken_models, found.changes.added, found.changes.removed)):
        built_on = [*later, *found.lost]
        said.append("a build from nothing gives the same data" if built_on else "no change in data")
    if later:
        said.append(f"what later builds make of {_few(later)} may change, which is not shown")
    said += _causes(found)
    for who, text in (("readers", "who may read what changes in"), ("erasure", "`make erase` changes for")):
        if models := found.access_changed(who):
            said.append(f"{text} {_few(models)}")
    if tests := found.changes.tests:
        gone = sum(what == ["gone"] for what in tests.values())
        said.append(f"tests gone: {gone}, tests that ask something else: {len(tests) - gone}")
    return [line[0].upper() + line[1:] + "." for line in said]


def _causes(found: Review) -> list[str]:
    """Settings and macros of several relations, each once."""
    said = [
        f"setting {code(name)}: {code(before)} → {code(after)} in {len(uids):,} relation{'' if len(uids) == 1 else 's'}"
        for (name, before, after), uids in changes.settings(found.base, found.head, found.changes.changed).items()
        if len(uids) > 2 or name.startswith("var ")
    ]
    parts = Counter(part for parts in found.changes.changed.values() for part in parts if part.startswith("macro "))
    macros = [f"{code(part[6:])} in {count:,} relations" for part, count in parts.most_common() if count > 2]
    return [*said, f"other macros: {_first(macros)}"] if macros else said


def _moves(found: Review) -> list[str]:
    """Amounts, rows and values on the move, in marts if any moves; the first few of each kind."""
    changed = found.data_changed()
    marts = [uid for uid in changed if found.is_mart(uid)]
    if not changed:
        return []
    seen = marts or changed
    amounts = [
        f"{code(name)} {_money(old)} → {_money(new)} ({_percent(old, new)}) in {_list(shown, 1)}"
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
        return [*head, TextBlock(code(found.head_error, 1000))]
    details = (_graph, _columns_changed, _overview, _amounts, _details, _columns, _tests, _times)
    return [
        *head,
        *_short([*_contracts(found), *_failures(found), *_after_the_merge(found), *_affected(found), *_access(found)]),
        *_checks(found),
        *(block for section in details for block in _folded(section(found))),
        TextBlock(_notes(found)),
    ]


def _folded(section: list[Block]) -> list[Block]:
    """A section behind its heading."""
    return [FoldBlock(section[0].text, section[1:])] if section and isinstance(section[0], HeadingBlock) else section


def _short(blocks: list[Block]) -> list[Block]:
    """The first rows of each table; the others behind a fold."""
    out: list[Block] = []
    for block in blocks:
        if isinstance(block, TableBlock) and len(block.rows) > _SHOWN:
            rest = dataclasses.replace(block, rows=block.rows[_SHOWN:])
            out += [dataclasses.replace(block, rows=block.rows[:_SHOWN]), FoldBlock(f"{len(rest.rows):,} more", [rest])]
        else:
            out.append(block)
    return out


def _checks(found: Review) -> list[Block]:
    """Questions to the reviewer, each for something that changed."""
    changed = found.data_changed()
    rows_moved = [uid for uid in changed if found.differences[uid].rows[0] != found.differences[uid].rows[1]]
    slower = [uid for uid, alone in found.query_seconds.items() if clearly_slower(*alone)]
    asked = (
        ({item.model for item in found.breaks}, "readers of {} know of the broken contract, or it has a new version"),
        (found.lost, "the loss of history in {} is meant: no later merge brings it back"),
        (found.new_failures, "for each newly failing test: is the test out of date, or the change wrong? {}"),
        (changed, "the commit message gives the reason and the figures of the move in {}"),
        (rows_moved, "rows were meant to come or go in {}"),
        (found.schema_changed(), "the description, type and class (`pii`) of each changed column are right in {}"),
        (found.changes.added, "grain, key, tests and classes (`pii`) of {} are as described"),
        (found.changes.removed, "nobody outside this project reads {}"),
        (found.built_on(), "a later build of {} was tried: `make trade && make run`"),
        (found.access_changed("readers"), "the data's owner agrees to other readers of {}"),
        (found.access_changed("erasure"), "the data's owner agrees to another reach of `make erase` in {}"),
        (found.changes.tests, "there is a reason for each test that is gone or asks something else: {}"),
        (slower, "the longer time of {} is worth it"),
    )
    items = [text[0].upper() + text[1:].format(_few(sorted(uids))) + "." for uids, text in asked if uids]
    return [HeadingBlock("For the reviewer"), CheckBlock(items)] if items else []


def _graph(found: Review) -> list[Block]:
    """Added, changed and removed models, and all that reads them."""
    nodes: dict[str, tuple[str, str]] = {}
    for uid in [*found.changes.affected, *found.changes.removed]:
        own = "changed, " if uid in found.changes.changed else "new, " if uid in found.changes.added else ""
        if uid in found.broken_models or uid in found.changes.removed:
            nodes[uid] = ("removed" if uid in found.changes.removed else f"{own}does not build", "bad")
        elif uid in found.added or uid in found.data_changed() or uid in found.schema_changed():
            counts = found.added[uid][:1] if uid in found.added else found.differences[uid].rows
            rows = " → ".join(f"{count:,}" for count in dict.fromkeys(counts))
            nodes[uid] = (f"{own}{rows} rows", "moved")
        else:
            nodes[uid] = (f"{own}the same data", "same")
    children = found.head["child_map"]
    arrows = [(_name(uid), _name(child)) for uid in nodes for child in children.get(uid, []) if child in nodes]
    named = {_name(uid): state for uid, state in nodes.items()}
    return [HeadingBlock("Graph"), GraphBlock(named, arrows)] if len(nodes) > 1 else []


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
    exposures = [manifest["exposures"] for manifest in (found.base, found.head)]
    rows = []
    for uid, item in {**exposures[0], **exposures[1]}.items():
        reads = {parent for side in exposures if uid in side for parent in side[uid]["depends_on"]["nodes"]}
        if read := sorted(reads & touched):
            label, owner = item.get("label") or item["name"], item["owner"].get("name") or "–"
            rows.append([code(label), item["type"], owner, _list(read, 4)])
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
                "; ".join(filter(None, (code(safe_message(found.after[uid]), 300), found.fanned_out.get(uid)))),
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
    return out


def _amounts(found: Review) -> list[Block]:
    """Every sum that differs, once."""
    rows = [
        [code(name), _money(old), _money(new), _delta(old or 0, new or 0), _percent(old, new), _list(uids)]
        for (name, old, new), uids in found.sums().items()
    ]
    head = ["sum of", "before", "after", "difference", "%", "in"]
    return [HeadingBlock("Amounts"), TableBlock(head, rows)] if rows else []


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
    if difference.profiles:
        head = ["profile of", "empty", "different", "minimum", "maximum", "distribution"]
        rows = [
            [code(name), *(_both(*pair) for pair in zip(*sides, strict=True))]
            for name, sides in difference.profiles.items()
        ]
        out.append(TableBlock(head, rows))
    return out


def _both(before: str, after: str) -> str:
    """Before and after, or the one value that they are."""
    return " → ".join(code(value, 40) for value in dict.fromkeys((before, after))) if before or after else "–"


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


def _few(uids: Iterable[str]) -> str:
    return _list(uids, _FEW)


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
