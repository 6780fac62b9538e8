-- What Redshift has and PostgreSQL has not, for the stand-in of the tests: functions with Redshift's results, the system
-- views that dbt-redshift reads, and a record of the physical design. The schema comes first in the search path.
create schema redshift;

-- Physical design: the proxy leaves it in the statement as a comment, the event trigger keeps it for the new relation.
create table redshift.designs (relation oid primary key, design jsonb not null);

create function redshift.keep_design() returns event_trigger language plpgsql security definer
set standard_conforming_strings = on as $$
begin
    insert into redshift.designs
    select created.objid, (regexp_match(current_query(), '/\*redshift (\{.*\})\*/'))[1]::jsonb
    from pg_event_trigger_ddl_commands() created
    where created.object_type in ('table', 'view') and current_query() ~ '/\*redshift \{'
    on conflict (relation) do nothing;
    if exists (
        select
        from pg_event_trigger_ddl_commands() created
        join redshift.designs on designs.relation = created.objid
        join pg_attribute attributes on attributes.attrelid = created.objid and attributes.atttypid = 'bytea'::regtype
        where attributes.attname = designs.design ->> 'distkey' or designs.design -> 'sortkey' ? attributes.attname
    ) then
        raise exception using errcode = '0A000', message = 'a VARBYTE column can be neither a DISTKEY nor a SORTKEY';
    end if;
end
$$;
create event trigger keep_design on ddl_command_end
when tag in ('CREATE TABLE', 'CREATE TABLE AS', 'CREATE VIEW') execute function redshift.keep_design();

-- Functions.
create function redshift.version() returns text immutable language sql
    return 'PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2 20041017 (Red Hat 3.4.2-6.fc3), Redshift 1.0.0 (stand-in)';
create function redshift.getdate() returns timestamp stable language sql
    return date_trunc('second', now() at time zone 'UTC');
create function redshift.len(value text) returns integer immutable language sql return length(value);
create function redshift.nvl(first anycompatible, second anycompatible) returns anycompatible immutable language sql
    as $$ select coalesce(first, second) $$;
-- a date stays without time zone
create function redshift.date_trunc(part text, day date) returns timestamp immutable language sql
    return pg_catalog.date_trunc(part, day::timestamp);
create function redshift.dateadd(part text, amount bigint, moment timestamp) returns timestamp immutable language sql
    return moment + case when lower(part) in ('quarter', 'quarters', 'qtr')
        then make_interval(months => 3 * amount::integer) else (amount || ' ' || part)::interval end;
-- counts the boundaries between two moments
create function redshift.datediff(part text, earlier timestamp, later timestamp) returns bigint immutable language sql
    return case lower(part)
        when 'year' then extract(year from later) - extract(year from earlier)
        when 'quarter' then 4 * (extract(year from later) - extract(year from earlier))
            + extract(quarter from later) - extract(quarter from earlier)
        when 'month' then 12 * (extract(year from later) - extract(year from earlier))
            + extract(month from later) - extract(month from earlier)
        when 'week' then (later::date - extract(dow from later)::integer - earlier::date + extract(dow from earlier)::integer) / 7
        when 'day' then later::date - earlier::date
        else div(extract(epoch from pg_catalog.date_trunc(part, later) - pg_catalog.date_trunc(part, earlier)),
            case lower(part) when 'hour' then 3600 when 'minute' then 60 when 'second' then 1 end)
    end;
create function redshift.last_day(moment timestamp) returns date immutable language sql
    return (pg_catalog.date_trunc('month', moment) + interval '1 month' - interval '1 day')::date;
create function redshift.json_extract_path_text(document text, key text) returns text immutable language sql
    return document::json ->> key;
-- hexadecimal text of CRC-32C, which is not the CRC-32 of MySQL, zlib and PostgreSQL's crc32
create function redshift.crc32(value text) returns text immutable language sql
    return lpad(to_hex(pg_catalog.crc32c(convert_to(value, 'UTF8'))), 8, '0');
create function redshift.strtol(value text, base integer) returns bigint immutable language sql
    return case base when 16 then ('x' || lpad(value, 16, '0'))::bit(64)::bigint when 10 then value::bigint end;
create function redshift.from_hex(value text) returns bytea immutable language sql return decode(value, 'hex');
create function redshift.from_varbyte(value bytea, format text) returns text immutable language sql
    return case format when 'hex' then encode(value, 'hex') when 'utf8' then convert_from(value, 'UTF8') end;
-- no text is longer than 65,535 bytes
create function redshift.joined(first text, second text) returns text immutable strict language plpgsql as $$
begin
    if octet_length(first) + octet_length(second) > 65535 then
        raise exception using errcode = 'XX000', message = 'CONCAT() result too long';
    end if;
    return textcat(first, second);
end
$$;
create operator redshift.|| (function = redshift.joined, leftarg = text, rightarg = text);
-- the average of whole numbers is a whole number
create function redshift.whole_average(state bigint[]) returns bigint immutable language sql
    return state[2] / nullif(state[1], 0);
create aggregate redshift.avg(integer) (
    sfunc = int4_avg_accum, stype = bigint[], initcond = '{0,0}', finalfunc = redshift.whole_average
);

-- System views, and what the SHOW commands answer.
create view redshift.relations as
select
    classes.oid,
    namespaces.nspname,
    classes.relname,
    classes.relkind,
    classes.relacl,
    pg_get_userbyid(classes.relowner) as owner,
    obj_description(classes.oid, 'pg_class') as remarks,
    coalesce(designs.design, '{}') as design,
    coalesce(designs.design ->> 'late_binding', 'false') = 'true' as is_late_binding,
    case
        when designs.design ? 'distkey' then 'KEY(' || (designs.design ->> 'distkey') || ')'
        else coalesce(upper(designs.design ->> 'diststyle'), 'AUTO(ALL)')
    end as diststyle
from pg_class as classes
join pg_namespace as namespaces on classes.relnamespace = namespaces.oid
left join redshift.designs on classes.oid = designs.relation
where classes.relkind in ('r', 'v') and namespaces.nspname not in ('pg_catalog', 'information_schema', 'redshift');

create view redshift.svv_table_info as
select
    current_database() as "database",
    nspname::text as "schema",
    oid::integer as table_id,
    relname::text as "table",
    'N'::text as encoded,
    diststyle,
    case when design ->> 'sortstyle' = 'interleaved' then 'INTERLEAVED' else coalesce(design #>> '{sortkey,0}', 'AUTO(SORTKEY)') end as sortkey1,
    256 as max_varchar,
    null::text as sortkey1_enc,
    coalesce(jsonb_array_length(design -> 'sortkey'), 0) as sortkey_num,
    0::bigint as size,
    0::numeric as pct_used,
    0::numeric as unsorted,
    0::numeric as stats_off,
    0::numeric as tbl_rows,
    null::numeric as skew_sortkey1,
    null::numeric as skew_rows
from redshift.relations
where relkind = 'r';

create view redshift.svv_redshift_columns as
select
    current_database()::text as database_name,
    relations.nspname::text as schema_name,
    relations.relname::text as table_name,
    attributes.attname::text as column_name,
    attributes.attnum::integer as ordinal_position,
    format_type(attributes.atttypid, attributes.atttypmod) as data_type,
    null::text as column_default,
    case when attributes.attnotnull then 'NO' else 'YES' end as is_nullable,
    coalesce(relations.design #>> array['encode', attributes.attname], 'none') as encoding,
    coalesce(relations.design ->> 'distkey' = attributes.attname, false) as distkey,
    coalesce(array_position(array(select jsonb_array_elements_text(relations.design -> 'sortkey')), attributes.attname::text), 0) as sortkey,
    col_description(relations.oid, attributes.attnum) as remarks
from redshift.relations
join pg_attribute as attributes on relations.oid = attributes.attrelid
where attributes.attnum > 0 and not attributes.attisdropped;

create view redshift.pg_table_def as
select schema_name as schemaname, table_name as tablename, column_name as "column", data_type as type, encoding, distkey, sortkey, is_nullable = 'NO' as "notnull"
from redshift.svv_redshift_columns;

-- what COPY refused
create table redshift.sys_load_error_detail (
    start_time timestamp not null default now(),
    file_name text not null,
    line_number bigint not null,
    column_name text not null,
    error_message text not null
);

create view redshift.svv_external_columns as
select null::text as schemaname, null::text as tablename, null::text as columnname, null::text as external_type, null::integer as columnnum
where false;

create view redshift.svv_relation_privileges as
select
    nspname::text as namespace_name,
    relname::text as relation_name,
    lower(given.privilege_type) as privilege_type,
    case when given.grantee = 0 then 'public' else pg_get_userbyid(given.grantee)::text end as identity_name,
    case when given.grantee = 0 then 'public' else 'user' end as identity_type
from redshift.relations
cross join lateral aclexplode(relations.relacl) as given;

create function redshift.pg_get_late_binding_view_cols() returns setof record stable language sql as $$
    select relations.nspname, relations.relname, attributes.attname,
        format_type(attributes.atttypid, attributes.atttypmod)::varchar, attributes.attnum::integer
    from redshift.relations
    join pg_attribute as attributes on relations.oid = attributes.attrelid
    where relations.is_late_binding and attributes.attnum > 0
$$;

create function redshift.show_schemas(database_asked text, pattern text) returns table (
    database_name text, schema_name text, schema_owner text, schema_type text
) stable language sql as $$
    select current_database(), nspname, pg_get_userbyid(nspowner), 'local'
    from pg_namespace
    where current_database() = database_asked and nspname like coalesce(pattern, '%')
$$;

create function redshift.show_tables(schema_asked text) returns table (
    database_name text, schema_name text, table_name text, table_type text, table_acl text, remarks text, owner text,
    last_altered_time timestamp, last_modified_time timestamp, dist_style text, table_subtype text
) stable language sql as $$
    select current_database(), nspname, relname, case relkind when 'r' then 'TABLE' else 'VIEW' end, null, remarks, owner,
        null::timestamp, null::timestamp, diststyle,
        case when relkind = 'r' then 'REGULAR TABLE' when is_late_binding then 'LATE BINDING VIEW' else 'REGULAR VIEW' end
    from redshift.relations
    where nspname = schema_asked
$$;

create function redshift.show_columns(schema_asked text, table_asked text) returns table (
    database_name text, schema_name text, table_name text, column_name text, ordinal_position integer, column_default text,
    is_nullable text, data_type text, character_maximum_length integer, numeric_precision integer, numeric_scale integer,
    remarks text, sort_key_type text, sort_key integer, dist_key integer, encoding text
) stable language sql as $$
    select found.database_name, found.schema_name, found.table_name, found.column_name, found.ordinal_position, found.column_default,
        found.is_nullable, columns.data_type, columns.character_maximum_length, columns.numeric_precision, columns.numeric_scale,
        found.remarks, null, found.sortkey, found.distkey::integer, found.encoding
    from redshift.svv_redshift_columns as found
    join information_schema.columns
        on columns.table_schema = found.schema_name and columns.table_name = found.table_name and columns.column_name = found.column_name
    where found.schema_name = schema_asked and found.table_name = table_asked
    order by found.ordinal_position
$$;

create function redshift.show_grants(schema_asked text, table_asked text) returns table (
    database_name text, schema_name text, object_name text, object_type text, privilege_type text, identity_name text, identity_type text
) stable language sql as $$
    select current_database(), namespace_name, relation_name, 'TABLE', upper(privilege_type), identity_name, identity_type
    from redshift.svv_relation_privileges
    where namespace_name = schema_asked and relation_name = table_asked
$$;

grant usage on schema redshift to public;
grant select on all tables in schema redshift to public;
