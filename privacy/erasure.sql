-- The records of erasures: hashes and counts, no personal data. Run by `tables.py` with its schema's name.
create schema if not exists {{ erasure }};

create table if not exists {{ erasure }}.suppressions (
    subject text not null,
    subject_hash text not null primary key,
    key_check text not null
);

create table if not exists {{ erasure }}.erased_columns (
    subject text not null,
    table_name text not null,
    subject_column text not null,
    column_name text not null,
    primary key (table_name, column_name)
);

create table if not exists {{ erasure }}.log (
    subject text not null,
    subject_hash text not null,
    place text not null,
    row_count bigint not null,
    erased_by text not null,
    erased_at timestamptz not null,
    finished_at timestamptz
);

create table if not exists {{ erasure }}.erased_values (
    subject_hash text not null,
    value_hash text not null,
    primary key (subject_hash, value_hash)
);

comment on schema {{ erasure }} is
'Who was erased: hashes and counts, no personal data. Without it they would land again.';
comment on table {{ erasure }}.suppressions is 'One row per person whose personal data no landing takes in.';
comment on table {{ erasure }}.erased_columns is 'One row per raw column that such a person''s rows lose.';
comment on table {{ erasure }}.erased_values is
'Keyed hashes of texts that such a person had: copies made by hand are found by them, also later.';
comment on table {{ erasure }}.log is
'One row per erasure and table or folder. finished_at is empty while files are still to go.';
