-- The records of landings in the raw schema. Names in braces are filled in: the schema, and the warehouse's types.
create table if not exists {raw}._landing_runs (
    run_id {text} not null primary key,
    started_at timestamptz not null,
    finished_at timestamptz not null,
    loaded_at timestamptz not null,
    source_database {text} not null,
    log_position {text},
    changed_at timestamptz
);
create table if not exists {raw}._landing_tables (
    run_id {text} not null,
    table_name {text} not null,
    source_table {text} not null,
    row_count bigint not null,
    checksum {numeric},
    inserted bigint not null,
    updated bigint not null,
    deleted bigint not null,
    cast_exceptions bigint not null,
    dlt_load_id {text},
    loaded_at timestamptz not null
);
create table if not exists {raw}._landing_deletions (
    table_name {text} not null,
    row_key {text} not null,
    deleted_at timestamptz not null,
    run_id {text} not null
);
create table if not exists {raw}._landing_exceptions (
    table_name {text} not null,
    column_name {text} not null,
    row_key {text} not null,
    original_text {text} not null,
    encoding {text} not null,
    reason {text} not null,
    loaded_at timestamptz not null
);
create table if not exists {raw}._landing_columns (
    table_name {text} not null,
    source_table {text} not null,
    column_name {text} not null,
    source_column {text} not null,
    source_type {text} not null,
    raw_type {text} not null,
    key_position integer not null
);
create table if not exists {raw}._landing_state (
    table_name {text} not null primary key,
    row_count bigint not null,
    digests {text_list} not null,
    compared_at timestamptz not null,
    raw_id bigint,
    select_hash {text},
    log_position {text}
);
comment on table {raw}._landing_runs is
    'One row per published landing. loaded_at is its clock: the _loaded_at of the rows it changed.';
comment on table {raw}._landing_tables is
    'One row per landing and table: what MySQL counted, what was inserted, updated and deleted.';
comment on table {raw}._landing_deletions is 'One row per raw row that was deleted, with its key as a JSON object.';
comment on table {raw}._landing_exceptions is
    'One row per value that is NULL in the raw table because its type cannot hold the original.';
comment on table {raw}._landing_columns is 'One row per raw column, with the MySQL column it comes from.';
comment on table {raw}._landing_state is 'One row per raw table: the digests that tell whether the source changed.';
