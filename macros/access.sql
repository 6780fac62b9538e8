{#-
    Who reads what of a mart, attached where it is built, in the transaction that builds it. Only where the roles exist
    (`make roles`) and DBT_ROLES=true says so; elsewhere nothing here does anything.

    analyst           a view of the same name and columns in `<marts>_masked`, personal data masked as `meta.pii` and `meta.mask` say
    pii_reader        the mart itself (+grants in dbt_project.yml)
    service_embedded  of marts with `meta.embedded`: the rows of the session's customer, by row-level security; all columns but
                      personal data and those in `hidden`
-#}
{% macro roles_are_on() -%}
    {{ return(env_var('DBT_ROLES', 'false') == 'true') }}
{%- endmacro %}

{#- On-run-start: the schemas, who may enter them, and the customer that a session speaks for. -#}
{% macro prepare_access() -%}
    {%- if roles_are_on() and not work_set() -%}
        {{ adapter.dispatch('prepare_access', 'classicmodels')(public_schema('marts')) }}
    {%- endif -%}
{%- endmacro %}

{#- Post-hook of every mart; those of the work set are for nobody, and protected when they are published. -#}
{% macro protect_mart() -%}
    {%- if roles_are_on() and not work_set() -%}
        {{ adapter.dispatch('protect_mart', 'classicmodels')(this, model) }}
    {%- endif -%}
{%- endmacro %}

{% macro redshift__prepare_access(marts) -%}
    {{ exceptions.raise_compiler_error('DBT_ROLES=true: roles, masks and row-level security are written for Postgres only.') }}
{%- endmacro %}

{% macro redshift__protect_mart(relation, model) -%}
    {{ exceptions.raise_compiler_error('DBT_ROLES=true: roles, masks and row-level security are written for Postgres only.') }}
{%- endmacro %}

{#- The functions are plpgsql, so that no policy depends on a table that the next build swaps. -#}
{% macro postgres__prepare_access(marts) -%}
    create schema if not exists {{ marts }};
    create schema if not exists {{ marts }}_masked;
    grant usage on schema {{ marts }}_masked to analyst;
    grant usage on schema {{ marts }} to pii_reader, service_embedded;
    create or replace function {{ marts }}.session_customer_number() returns integer
    language plpgsql stable set search_path = pg_catalog as $$
    begin
        return nullif(current_setting('app.customer_number', true), '')::integer;
    end $$;
    create or replace function {{ marts }}.session_customer_keys() returns setof varchar
    language plpgsql stable set search_path = pg_catalog as $$
    begin
        return query
        select customer_key from {{ marts }}.dim_customers
        where customer_number = {{ marts }}.session_customer_number();
    end $$;
{%- endmacro %}

{#-
    Idempotent, and without a lock on a mart that is as it should be: what was attached, and to which table, is in the
    comment of the masked view.
-#}
{% macro postgres__protect_mart(relation, model) -%}
    {%- set masked = relation.schema ~ '_masked.' ~ relation.identifier -%}
    {%- set embedded = model.config.get('meta', {}).get('embedded') -%}
    {%- set columns = [] -%}
    {%- set shown = [] -%}
    {#- When dbt parses, the columns are not there yet. -#}
    {%- for name in (embedded or {}).get('hidden', []) if execute and name not in model.columns -%}
        {{ exceptions.raise_compiler_error(model.name ~ ': meta.embedded.hidden names ' ~ name ~ ', which it has not') }}
    {%- endfor -%}
    {%- for column in model.columns.values() -%}
        {%- set pii = column.get('meta', {}).get('pii') -%}
        {%- do columns.append(mask(model.name, column) if pii else adapter.quote(column.name)) -%}
        {%- if embedded and not pii and column.name not in embedded.get('hidden', []) -%}
            {%- do shown.append(adapter.quote(column.name)) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set attach -%}
        drop view if exists {{ masked }} cascade;
        create view {{ masked }} as select {{ columns | join(', ') }} from {{ relation }};
        grant select on {{ masked }} to analyst;
        {%- if embedded %}
        revoke all on {{ relation }} from service_embedded;
        grant select ({{ shown | join(', ') }}) on {{ relation }} to service_embedded;
        {%- endif %}
        {%- if embedded and embedded.rows != 'all' %}
        alter table {{ relation }} enable row level security;
        drop policy if exists own_customer on {{ relation }};
        drop policy if exists every_customer on {{ relation }};
        create policy own_customer on {{ relation }} for select to service_embedded using ({{ rows_of_the_session(relation, embedded.rows) }});
        create policy every_customer on {{ relation }} for select to pii_reader using (true);
        {%- endif %}
    {%- endset -%}
    do $attach$
    declare
        attached text := '{{ local_md5(attach) }} ' || '{{ relation }}'::regclass::oid;
    begin
        if obj_description(to_regclass('{{ masked }}'), 'pg_class') is distinct from attached
            {%- if embedded and embedded.rows != 'all' %}
            or not (select relrowsecurity from pg_class where oid = '{{ relation }}'::regclass)
            or (select count(*) from pg_policy where polrelid = '{{ relation }}'::regclass) <> 2
            {%- endif %}
        then
            {{ attach }}
            execute format('comment on view {{ masked }} is %L', attached);
        end if;
    end
    $attach$
{%- endmacro %}

{#- What a policy lets through; the column is the customer's number, or the key of one of its versions. -#}
{% macro rows_of_the_session(relation, column) -%}
    {%- if column == 'customer_number' -%}
        customer_number = (select {{ relation.schema }}.session_customer_number())
    {%- elif column == 'customer_key' -%}
        customer_key in (select {{ relation.schema }}.session_customer_keys())
    {%- else -%}
        {{ exceptions.raise_compiler_error(relation.identifier ~ ': meta.embedded.rows is customer_number, customer_key or all, not ' ~ column) }}
    {%- endif -%}
{%- endmacro %}

{#-
    initial      J****; the default
    last_digits  ****93 of at least four digits
    hash         keyed, the same value gives the same hash in every mart; the Unknown member stays what it is
    Free text is hidden as a whole. NULL stays NULL.
-#}
{% macro mask(mart, column) -%}
    {%- set name = adapter.quote(column.name) -%}
    {%- set how = 'all' if column.meta.pii == 'free_text' else column.meta.get('mask', 'initial') -%}
    {%- set digits = "regexp_replace(" ~ name ~ ", '[^0-9]', '', 'g')" -%}
    {%- set key = "(select key from access_control.masking_key)" -%}
    {%- set masks = {
        'all': "left(" ~ name ~ ", 0) || '****'",
        'initial': "left(ltrim(" ~ name ~ "), 1) || '****'",
        'last_digits': "'****' || case when length(" ~ digits ~ ") >= 4 then right(" ~ digits ~ ", 2) else left(" ~ name ~ ", 0) end",
        'hash': "case when " ~ name ~ " = " ~ unknown_key() ~ " then " ~ name ~ " else left(encode(sha256(convert_to(" ~ key
            ~ " || encode(sha256(convert_to(" ~ key ~ " || " ~ name ~ ", 'UTF8')), 'hex'), 'UTF8')), 'hex'), 32) end",
    } -%}
    {%- if how not in masks or not (column.data_type or '').startswith('varchar') -%}
        {{ exceptions.raise_compiler_error(mart ~ '.' ~ column.name ~ ': no mask ' ~ how ~ ' for ' ~ column.data_type) }}
    {%- endif -%}
    cast({{ masks[how] }} as {{ column.data_type }}) as {{ name }}
{%- endmacro %}
