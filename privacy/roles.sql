-- What the five roles may do in this database, and what belongs to whom. Run by `roles.py`, in one transaction.

do $$
declare
    shared record;
begin
    execute format('revoke temporary on database %I from public', current_database());
    execute format(
        'grant connect on database %I to ingest, transform, analyst, pii_reader, service_embedded', current_database()
    );
    execute format('grant create on database %I to ingest, transform', current_database());
    execute format('grant temporary on database %I to ingest, transform', current_database());
    for shared in
        select *
        from (values ('analyst', 'marts_masked'), ('pii_reader', 'marts'), ('service_embedded', 'marts')) as paths (reader, path)
    loop
        execute format(
            'alter role %I in database %I set search_path = %I', shared.reader, current_database(), shared.path
        );
    end loop;
end
$$;

revoke create on schema public from public;

-- A landing makes its schemas and tables itself, whatever the database is called.
alter default privileges for role ingest grant usage on schemas to transform;
alter default privileges for role ingest grant select on tables to transform;

create schema if not exists access_control;
create table if not exists access_control.masking_key (key text not null); -- noqa: RF04
comment on schema access_control is 'Made by make roles.';
comment on table access_control.masking_key is 'One row: the key of hashes in masked marts. Only transform reads it.';
revoke all on schema access_control from public;
revoke all on access_control.masking_key from public;
grant usage on schema access_control to transform;
grant select on access_control.masking_key to transform;

-- What another user made before there were roles goes to the role that writes it.
do $$
declare
    found record;
begin
    for found in
        with wanted as (
            select oid, nspname, nspowner, 'ingest' as owner from pg_namespace
            where regexp_replace(nspname, '^landing_', 'raw_') in (
                select n.nspname from pg_class join pg_namespace n on n.oid = relnamespace
                where relname = '_landing_runs'
            )
            union all
            select oid, nspname, nspowner, 'transform' from pg_namespace
            where regexp_replace(nspname, '^next_', '')
                in ('staging', 'intermediate', 'snapshots', 'seeds', 'marts', 'marts_masked', 'quality', 'predictions')
        )
        select 1 as step, owner, format('schema %I', nspname) as thing from wanted where nspowner <> owner::regrole
        union all
        select 2, owner, format('table %I.%I', nspname, relname) from wanted join pg_class on relnamespace = wanted.oid
        where relkind in ('r', 'p', 'v', 'm', 'f') and relowner <> owner::regrole
        union all
        select 3, owner, format('routine %s', pg_proc.oid::regprocedure)
        from wanted join pg_proc on pronamespace = wanted.oid
        where proowner <> owner::regrole
        order by step
    loop
        execute format('alter %s owner to %I', found.thing, found.owner);
    end loop;
    for found in
        select nspname from pg_namespace where nspowner = 'ingest'::regrole
    loop
        execute format('grant usage on schema %I to transform', found.nspname);
        execute format('grant select on all tables in schema %I to transform', found.nspname);
    end loop;
end
$$;
