"""SQL for Postgres alone: Redshift refuses it, or reads it differently.

Read over the tokens of a statement, not over its tree: every finding has its place in the text, and there is no
statement too odd to be looked at. AWS's documentation is the judge; each rule names its page there.

A statement becomes one line of words: keywords and names in capitals, quoted names as ``"``, strings as ``''`` (one
lower-case word in it is kept: ``'isodow'``). Most rules are patterns over that line; rules about pairs of
brackets are functions.
"""

import dataclasses
import itertools
import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import ClassVar

from sqlglot.dialects.redshift import Redshift
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType

DOCUMENTATION = "https://docs.aws.amazon.com/redshift/latest/dg/"


@dataclasses.dataclass(frozen=True, order=True)
class Violation:
    """One unportable place."""

    offset: int
    """Its beginning in the text, from 0."""
    line: int
    what: str
    """The violation, and if it is short, SQL to write instead."""
    page: str
    """The page of AWS's documentation."""

    def __str__(self) -> str:
        return f"{self.what} [{self.page.removeprefix(DOCUMENTATION).removesuffix('.html')}]"


# pages of several rules
_FEATURES = "c_unsupported-postgresql-features"
_FUNCTIONS = "c_unsupported-postgresql-functions"
_TYPES = "c_unsupported-postgresql-datatypes"
_LEADER = "c_SQL_functions_leader_node_only"
_CREATE, _ALTER, _MERGE, _WITH = "r_CREATE_TABLE_NEW", "r_ALTER_TABLE", "r_MERGE", "r_WITH_clause"
_WINDOW, _FROM, _JSON = "r_Window_function_synopsis", "r_FROM_clause30", "json-functions"

_NO_TYPES = (
    "json jsonb uuid bytea money inet cidr macaddr macaddr8 xml bit varbit serial bigserial smallserial serial2 serial4 "
    "serial8 tsvector tsquery point line lseg box path polygon circle hstore citext int4range int8range numrange tsrange "
    "tstzrange daterange int4multirange datemultirange regclass regtype regproc oid pg_lsn txid_snapshot"
)
_RESERVED = (
    "aes128 aes256 allowoverwrite az64 backup blanksasnull bytedict bzip2 credentials current_user_id deflate defrag delta "
    "delta32k disable emptyasnull enable encode encrypt encryption explicit globaldict256 globaldict64k gzip identity ignore "
    "language lun luns lzo lzop minus mostly13 mostly32 mostly8 new off offline oid old open parallel partition percent "
    "permissions raw readratio recover rejectlog resort respect restore snapshot sysdate system tag tdes text255 text32k top "
    "truncatecolumns wallet without"
)
_FUNCTION_PAGES = {  # called names: the remedy, page
    "STRING_AGG": ("use listagg", "r_LISTAGG"),
    "EVERY": ("use bool_and", _FUNCTIONS),
    r"ARRAY_AGG|XMLAGG|CORR|COVAR_POP|COVAR_SAMP|REGR_\w+|MODE|RANGE_AGG": ("", _FUNCTIONS),
    r"ARRAY_(?:APPEND|CAT|DIMS|FILL|LENGTH|LOWER|NDIMS|PREPEND|REMOVE|REPLACE|TO_STRING|UPPER|TO_JSON|SHUFFLE|SAMPLE)"
    r"|CARDINALITY|STRING_TO_ARRAY|STRING_TO_TABLE|TRIM_ARRAY": ("Redshift's arrays are SUPER", _FUNCTIONS),
    r"GENERATE_(?:SERIES|SUBSCRIPTS)": ("runs on the leader node alone; join a table of numbers", _FUNCTIONS),
    r"JSONB\w*|JSON_(?!PARSE|SERIALIZE|SIZE|TYPEOF|ARRAY_LENGTH|EXTRACT_PATH_TEXT |EXTRACT_ARRAY)\w+|TO_JSONB?|ROW_TO_JSON": (
        "Redshift keeps JSON as SUPER or text",
        _JSON,
    ),
    r"CLOCK_TIMESTAMP|JUSTIFY_\w+|PG_SLEEP\w*|TRANSACTION_TIMESTAMP|STATEMENT_TIMESTAMP": ("use getdate()", _FUNCTIONS),
    r"MAKE_(?:DATE|TIME|TIMESTAMP|TIMESTAMPTZ|INTERVAL)|DATE_BIN": (
        "cast a text, or use dateadd",
        "Date_functions_header",
    ),
    r"AGE|ISFINITE|NOW": ("no longer supported; use getdate(), datediff", _LEADER),
    r"DIV|SETSEED|WIDTH_BUCKET|GCD|LCM|SCALE|MIN_SCALE|TRIM_SCALE|ERF|ERFC|RANDOM_NORMAL": ("", "Math_functions"),
    r"BIT_LENGTH|OVERLAY|CONVERT_FROM|CONVERT_TO|FORMAT|QUOTE_NULLABLE|REGEXP_MATCH(?:ES)?|REGEXP_SPLIT_TO_\w+|REGEXP_LIKE": (
        "",
        _FUNCTIONS,
    ),
    r"ENCODE|STARTS_WITH|UNISTR|NORMALIZE|PARSE_IDENT|CONCAT_WS": ("", "String_functions_header"),
    r"SHA(?:224|256|384|512)": ("use sha2", "SHA2"),
    r"GEN_RANDOM_UUID|UUIDV[47]|UUID_\w+": ("there is no uuid type", _TYPES),
    r"NUM_NULLS|NUM_NONNULLS": ("", "c_conditional_expressions"),
    r"NEXTVAL|CURRVAL|SETVAL|LASTVAL": ("there are no sequences", _FUNCTIONS),
    r"(?:PHRASE|PLAIN|WEBSEARCH_)?TO_TS(?:QUERY|VECTOR)|PLAINTO_TSQUERY|PHRASETO_TSQUERY|TS_\w+": (
        "no text search",
        _FUNCTIONS,
    ),
    r"PG_(?:TRY_)?ADVISORY_\w+|PG_\w+_SIZE|PG_SIZE_PRETTY|PG_NOTIFY|TXID_\w+|PG_\w+_SNAPSHOT": ("", _FUNCTIONS),
    r"(?:OBJ|COL|SHOBJ)_DESCRIPTION|TO_REG\w+|INET_\w+|XML\w+|XPATH\w*|TABLE_TO_XML|QUERY_TO_XML": ("", _FUNCTIONS),
    r"ROW": ("there are no row constructors", _FEATURES),
}
_PATTERNS: list[tuple[str, str, str]] = [  # pattern, fault, page
    # queries
    (r"FILTER \( WHERE", "filter (where ...): put a case into the aggregate", "c_Aggregate_Functions"),
    (r"LATERAL\b", "lateral", _FROM),
    (r"DISTINCT ON \(", "distinct on: use row_number()", "r_SELECT_list"),
    (r"(?:^|\( )VALUES \(", "values as a table: select ... union all select ...", _FEATURES),
    (r"WINDOW \S+ AS \(", "window clause: write each over (...) out", _WINDOW),
    (r"IS (?:NOT )?DISTINCT FROM", "is [not] distinct from", _FUNCTIONS),
    (r"IS (?:NOT )?(?:JSON|NORMALIZED|NFC|NFD)\b", "is json, is normalized", _FEATURES),
    (r"BETWEEN SYMMETRIC", "between symmetric", "r_range_condition"),
    (r"AS (?:NOT )?MATERIALIZED \(", "[not] materialized", _WITH),
    (r"AS \( (?:INSERT|UPDATE|DELETE|MERGE)\b", "a common table expression that changes data", _WITH),
    (r"(?:FROM|JOIN|IN|EXISTS) \( WITH RECURSIVE", "with recursive in a subquery", _WITH),
    (r"WITH RECURSIVE \S+ AS \(", "with recursive needs a list of columns", _WITH),
    (r"SEARCH (?:DEPTH|BREADTH) FIRST|CYCLE \S+ (?:SET|,)", "search, cycle", _WITH),
    (r"WITH ORDINALITY|ROWS FROM \(|TABLESAMPLE", "a table function's or sample's clause", _FROM),
    (r"(?:INTERSECT|EXCEPT) ALL|(?:UNION|INTERSECT|EXCEPT) DISTINCT", "except all, intersect all, union distinct", "r_UNION"),
    (r"(?<=\S )FETCH (?:FIRST|NEXT)\b", "fetch first: use limit", "r_ORDER_BY_clause"),
    (r"FOR (?:NO KEY UPDATE|UPDATE|KEY SHARE|SHARE)\b", "row locks", "r_SELECT_synopsis"),
    (r"GROUP BY DISTINCT ", "group by distinct", "r_GROUP_BY_clause"),
    (r"(?:RANGE|GROUPS) (?:BETWEEN|UNBOUNDED|CURRENT)|EXCLUDE (?:CURRENT ROW|GROUP|TIES|NO OTHERS)", "a frame other than rows", _WINDOW),
    (r"(?<!APPROXIMATE )PERCENTILE_DISC \( [^()]* \) WITHIN GROUP \( [^()]* \)(?! OVER)", "percentile_disc is a window "
     "function: add over (...), or approximate", "r_WF_PERCENTILE_DISC"),
    (r"\b(?:CURRENT_TIMESTAMP|CURRENT_TIME|LOCALTIMESTAMP|LOCALTIME)\b", "no longer supported: use getdate()", _LEADER),
    (r"CURRENT_CATALOG\b", "current_catalog: use current_database()", _FUNCTIONS),
    (r"AT LOCAL\b", "at local: name the time zone", "r_AT_TIME_ZONE"),
    (r"EXTRACT \( (?:ISODOW|ISOYEAR|JULIAN)\b|(?:DATE_PART|DATE_TRUNC) \( '(?:isodow|isoyear|julian)'",
     "a part of dates that Redshift has not", "r_Dateparts_for_datetime_functions"),
    (r"COLLATE (?!\(|CASE_)", "collate: only case_sensitive and case_insensitive", _FEATURES),
    (r"(?<!DEFAULT )\bAS (?:RESERVED)\b|(?:WITH|RECURSIVE|,) (?:RESERVED) (?:\( [^()]* \) )?AS \(",
     "a name that Redshift reserves: quote or change it", "r_pg_keywords"),
    # operators and arrays
    (r"->>?|#>>?|@>|<@|&&|\?[|&]", "an operator of json, arrays and ranges", _TYPES),
    (r"\^ ?@ ", "^@: use like", "pattern-matching-conditions"),
    (r"!? ?~\*", "~*: use lower() or ilike", "pattern-matching-conditions-posix"),
    (r"ARRAY \[|\[ \]|\bARRAY \( SELECT\b|\w \[ \d+ :", "arrays are SUPER: array(...)", _FEATURES),
    (r"\b(?:NO_TYPES) ''", "a type that Redshift has not", _TYPES),
    # changes of data
    (r"ON CONFLICT\b", "on conflict: delete, then insert", "r_INSERT_30"),
    (r"RETURNING\b", "returning", "r_INSERT_30"),
    (r"OVERRIDING (?:SYSTEM|USER) VALUE", "overriding system value", "r_INSERT_30"),
    (r"\bSET \( ", "a list of columns in set", "r_UPDATE"),
    (r"^MERGE .*MATCHED (?:BY \S+ )?AND\b", "merge with a condition after matched", _MERGE),
    (r"^MERGE .*(?:DO NOTHING|MATCHED BY (?:SOURCE|TARGET))", "merge: do nothing, by source", _MERGE),
    (r"^MERGE INTO \S+(?: \. \S+)* (?:AS )?(?!USING\b)[^\s.]+ USING", "merge: no alias for the target", _MERGE),
    (r"^MERGE .*? USING \(", "merge reads a table, not a subquery", _MERGE),
    (r"^MERGE (?!.*REMOVE DUPLICATES)(?!.*WHEN MATCHED.*WHEN NOT MATCHED)(?!.*WHEN NOT MATCHED.*WHEN MATCHED)",
     "merge needs both, when matched and when not matched", _MERGE),
    (r"^TRUNCATE ONLY\b|^TRUNCATE .*(?:,|RESTART|CONTINUE|CASCADE|RESTRICT)", "truncate takes one table", "r_TRUNCATE"),
    # definitions
    (r"^CREATE (?:UNIQUE )?INDEX|^DROP INDEX|^REINDEX|^CLUSTER\b|^ALTER INDEX", "indexes: use sort keys", _FEATURES),
    (r"^CREATE (?:OR REPLACE )?(?:CONSTRAINT |EVENT )?(?:TRIGGER|RULE|SEQUENCE|EXTENSION|DOMAIN|TYPE|AGGREGATE|OPERATOR|CAST|"
     r"COLLATION|SERVER|FOREIGN|PUBLICATION|SUBSCRIPTION|STATISTICS|POLICY|TABLESPACE|RECURSIVE|TEXT SEARCH)\b",
     "Redshift has no such object", _FEATURES),
    (r"^CREATE (?:OR REPLACE )?TEMP(?:ORARY)? (?:VIEW|RECURSIVE)|WITH (?:LOCAL |CASCADED )?CHECK OPTION", "a temporary or "
     "checking view", "r_CREATE_VIEW"),
    (r"^CREATE UNLOGGED|\bINHERITS \(|\bTABLESPACE\b|\bPARTITION OF\b|PARTITION BY (?:RANGE|LIST|HASH) \(", "unlogged, "
     "inherited or partitioned tables, tablespaces", _FEATURES),
    (r"ON COMMIT (?:DROP|DELETE|PRESERVE)|WITH (?:NO )?DATA\b|WITH \( FILLFACTOR", "an option of create table", _CREATE),
    (r"(?:INCLUDING|EXCLUDING) (?!DEFAULTS)[A-Z]", "like copies defaults only", _CREATE),
    (r"\bCHECK \(|EXCLUDE USING|\bDEFERRABLE\b|INITIALLY (?:DEFERRED|IMMEDIATE)|NULLS (?:NOT )?DISTINCT", "a constraint "
     "that Redshift has not", _FEATURES),
    (r"ON (?:DELETE|UPDATE) (?:CASCADE|SET|RESTRICT|NO)\b", "what a foreign key does is not enforced", _CREATE),
    (r"GENERATED ALWAYS|AS IDENTITY(?! \( \d)|GENERATED BY DEFAULT ON NULL", "identity(seed, step) is all there is", _CREATE),
    (r"^CREATE (?:OR REPLACE )?FUNCTION .*(?:LANGUAGE PLPGSQL|RETURNS (?:SETOF|TABLE))", "functions are scalar, in SQL or "
     "Python; plpgsql is for procedures", "r_CREATE_FUNCTION"),
    (r"^ALTER TABLE (?:IF EXISTS|ONLY)\b|(?:ADD|DROP) COLUMN IF\b", "alter table: no if exists, no only", _ALTER),
    (r"^ALTER TABLE .* ADD .*, ADD |^ALTER TABLE .* DROP .*, DROP ", "one column for each alter table", _ALTER),
    (r"^ALTER TABLE .* ALTER (?:COLUMN )?\S+ (?:SET|DROP|ADD) |^ALTER TABLE .* ALTER (?:COLUMN )?\S+ TYPE (?!VARCHAR|CHARACTER "
     r"VARYING|NVARCHAR|VARBYTE)|^ALTER TABLE .* (?:SET SCHEMA|ENABLE|DISABLE|FORCE|VALIDATE|RENAME CONSTRAINT) ?",
     "alter table: only a varchar's length and the encoding change", _ALTER),
    # sessions
    (r"^(?:SAVEPOINT|RELEASE|ROLLBACK TO|ROLLBACK .* TO)\b", "savepoints", _FUNCTIONS),
    (r"^(?:LISTEN|NOTIFY|UNLISTEN|DO|LOAD|DISCARD|SECURITY|CHECKPOINT|TABLE)\b", "a command that Redshift has not",
     "c_SQL_commands"),
    (r"^EXPLAIN (?:ANALYZE|\()", "explain analyze", "r_EXPLAIN"),
    (r"^LOCK .* IN [A-Z ]+ MODE", "lock table has no modes", "r_LOCK"),
]  # fmt: skip
_AGGREGATES = re.compile(
    r"SUM|AVG|MIN|MAX|COUNT|MEDIAN|STDDEV\w*|VAR_\w+|VARIANCE|BOOL_\w+|BIT_\w+|FIRST_VALUE|LAST_VALUE|NTH_VALUE"
)

_CONSTANT = re.compile(r"(?:\d\S*|'[^']*'|NULL|TRUE|FALSE)(?: (?:ASC|DESC|NULLS|ROWS|RANGE)\b|$)")


def _rules() -> Iterator[tuple[re.Pattern[str], str, str]]:
    for names, (hint, page) in _FUNCTION_PAGES.items():
        yield re.compile(rf"(?<!\. )\b(?:{names}) \("), "{}(): " + (hint or "Redshift has no such function"), page
    for pattern, what, page in _PATTERNS:
        for name, words in (("NO_TYPES", _NO_TYPES), ("RESERVED", _RESERVED)):
            pattern = pattern.replace(name, words.upper().replace(" ", "|"))
        yield re.compile(rf"(?<!\w)(?:{pattern})"), what, page


_RULES = list(_rules())


class _Tokenizer(Redshift.Tokenizer):
    COMMANDS: ClassVar[set[TokenType]] = set()  # or the rest after `explain` would be one text


def violations(sql: str) -> list[Violation]:
    """All of this SQL refused by Redshift, or read in another way than by Postgres; in order of place."""
    try:
        tokens = _Tokenizer().tokenize(sql)
    except TokenError as error:
        return [Violation(0, 1, f"not understood: {error}", f"{DOCUMENTATION}c_SQL_commands.html")]
    found: set[Violation] = set()
    for ends, statement in itertools.groupby(tokens, key=lambda token: token.token_type == TokenType.SEMICOLON):
        if not ends:
            found |= {
                Violation(token.start, token.line, what, f"{DOCUMENTATION}{page}.html")
                for token, what, page in _findings(sql, list(statement))
            }
    return sorted(found)


def _findings(sql: str, tokens: list[Token]) -> Iterator[tuple[Token, str, str]]:
    words = [_word(token) for token in tokens]
    line = " ".join(words)
    if re.match("(?:COPY|UNLOAD|COMMENT|CREATE EXTERNAL)\\b", line):
        return  # Redshift's own, or just a text
    starts = list(itertools.accumulate((len(word) + 1 for word in words), initial=0))
    for pattern, what, page in _RULES:
        for match in pattern.finditer(line):
            at = bisect_right(starts, match.start()) - 1
            yield tokens[at], what.format(words[at].lower()), page
    closing = _brackets(words)
    for rule in (_types, _windows, _arguments):
        for at, what, page in rule(words, closing):
            yield tokens[at], what, page
    for token in tokens:
        # Redshift reads \\d as \d, and \d as d.
        if token.token_type == TokenType.STRING and "\\" in sql[token.start : token.end].replace("\\\\", ""):
            yield token, "a backslash in a text escapes what follows", "pattern-matching-conditions-posix"


def _word(token: Token) -> str:
    """A token as the rules know it."""
    if token.token_type == TokenType.IDENTIFIER:
        return '"'
    if token.token_type.name.endswith("STRING"):
        return f"'{token.text}'" if re.fullmatch("[a-z]+", token.text) else "''"
    return " ".join(token.text.upper().split())  # `order by` is one


def _brackets(words: list[str]) -> dict[int, int]:
    """The place of each closing bracket, by that of its opening."""
    closing, open_ = {}, []
    for at, word in enumerate(words):
        if word == "(":
            open_.append(at)
        elif word == ")" and open_:
            closing[open_.pop()] = at
    return closing


def _split(words: list[str], closing: dict[int, int], start: int) -> list[list[int]]:
    """The places of the words of each part between the commas in a bracket, without those in brackets within."""
    parts: list[list[int]] = [[]]
    at = start + 1
    while at < closing.get(start, len(words)):
        if words[at] == ",":
            parts.append([])
        else:
            parts[-1].append(at)
        at = closing.get(at, at) + 1
    return parts


def _types(words: list[str], closing: dict[int, int]) -> Iterator[tuple[int, str, str]]:
    """Types of casts and of columns."""
    places = [at + 1 for at, word in enumerate(words) if word == "::"]
    for start in closing:
        if words[start - 1] in ("CAST", "TRY_CAST"):
            (inside, *_) = _split(words, closing, start)
            places += [at + 1 for at in inside if words[at] == "AS"]
    line = " ".join(words)
    columns = []
    if re.match(r"CREATE (?:\w+ )*TABLE ", line) and "(" in words:
        start = words.index("(")
        if words[start - 1] != "AS":
            columns = [part for part in _split(words, closing, start) if len(part) > 1 and words[part[0]] != "LIKE"]
    columns += [[at + 1, at + 2] for at, word in enumerate(words) if word == "COLUMN" and words[at - 1] == "ADD"]
    for name, after, *_ in columns:
        places.append(after)
        if words[name] in _RESERVED.upper().split():
            yield name, "a name that Redshift reserves: quote or change it", "r_pg_keywords"
    for at in places:
        word, size = words[at].lower(), re.match(r"\( (\d+)", " ".join(words[at + 1 : at + 3]))
        if word in ("text", "varchar", "nvarchar", "bpchar", "character varying") and words[at + 1 : at + 2] != ["("]:
            yield at, f"{word} without a length holds 256 bytes: varchar(n)", "r_Character_types"
        elif word in ("numeric", "decimal", "dec") and not size:
            yield at, f"{word} without precision is (18, 0): {word}(p, s)", "r_Numeric_types201"
        elif word in _NO_TYPES.split() or word == '"':
            yield at, f"Redshift has no type {'of that name in quotes' if word == chr(34) else word}", _TYPES
        elif word in ("timestamp", "timestamptz") and size:
            yield at, f"{word} has no precision: six digits of a second, always", "r_Datetime_types"
        elif size and int(size[1]) > {"numeric": 38, "decimal": 38, "dec": 38, "char": 4096}.get(word, 65535):
            yield at, f"{word}({size[1]}): no {word} is that long", "c_Supported_data_types"


def _windows(words: list[str], closing: dict[int, int]) -> Iterator[tuple[int, str, str]]:
    """An aggregate over ordered rows needs a frame; rows are ordered by columns."""
    opening = {end: start for start, end in closing.items()}
    for at, word in enumerate(words[:-1]):
        if word != "OVER" or words[at + 1] != "(" or words[at - 1] not in (")", "NULLS"):
            continue
        end = at - 1 if words[at - 1] == ")" else at - 3  # first_value(x) ignore nulls over (...)
        (inside, *more) = _split(words, closing, at + 1)
        window = {words[place] for part in (inside, *more) for place in part}
        function = words[opening.get(end, 0) - 1]
        if "ORDER BY" in window and not window & {"ROWS", "RANGE", "GROUPS"} and _AGGREGATES.fullmatch(function):
            yield at, f"{function.lower()}() over ordered rows needs a frame: rows between ...", _WINDOW
        ordered = False
        for part in (inside, *more):
            terms = [words[place] for place in part]
            if "ORDER BY" in terms:
                ordered, terms = True, terms[terms.index("ORDER BY") + 1 :]
            if ordered and _CONSTANT.match(" ".join(terms)):
                yield at, "a window ordered by a constant: name a column, or leave the order out", _WINDOW


def _arguments(words: list[str], closing: dict[int, int]) -> Iterator[tuple[int, str, str]]:
    """Functions of both, with other arguments."""
    for start in closing:
        at = start - 1
        arguments = _split(words, closing, start)
        match words[at], len(arguments):
            case "CONCAT", count if count != 2:
                yield at, "concat() takes two: use ||", "r_CONCAT"
            case "TO_TIMESTAMP", 1:
                yield at, "to_timestamp() needs a format", "r_TO_TIMESTAMP"
            case "DATE_TRUNC", 3:
                yield at, "date_trunc() knows no time zone", "r_DATE_TRUNC"
            case ("LAG" | "LEAD") as name, 3:
                yield at, f"{name.lower()}() knows no default: put coalesce() around it", f"r_WF_{name}"
            case "SUBSTRING", 1 if "FROM '" in " ".join(words[place] for place in arguments[0]):
                yield at, "substring() cuts by position: use regexp_substr()", "r_SUBSTRING"
            case "DECODE", 2:
                yield at, "decode() compares, it decodes nothing", "r_DECODE_expression"
            case "REGEXP_REPLACE", 4 if words[arguments[3][0]].startswith("'"):
                yield at, "regexp_replace() replaces all; its fourth argument is a position", "REGEXP_REPLACE"
            case "SPLIT_PART", 3 if words[arguments[2][0]] == "-":
                yield at, "split_part() counts from the left alone", "SPLIT_PART"
