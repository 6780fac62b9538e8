-- Questions to PostgreSQL's catalog before a raw table is changed. postgres.py finds each by its name.

-- query: grants
-- The grants on the raw table, and the default grants of the raw schema. Both are parameters.
select distinct
    case when a.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end,
    a.privilege_type
from (
    select relacl as acl, relowner as owner from pg_class where oid = to_regclass(%s)
    union all
    select defaclacl, defaclrole from pg_default_acl
    where defaclnamespace = %s::regnamespace and defaclobjtype = 'r'
        and pg_get_userbyid(defaclrole) = current_user
) given
cross join lateral aclexplode(given.acl) a
where a.grantee <> given.owner

-- query: what_interferes
-- Things made by hand on the raw table that would change, hide or keep written rows.
with raw as (select %s::regclass as oid)
select 'trigger ' || quote_ident(tgname) from pg_trigger join raw on tgrelid = raw.oid
where not tgisinternal and tgenabled <> 'D' and tgtype & 2 <> 0
union all
select 'rule ' || quote_ident(rulename) from pg_rewrite join raw on ev_class = raw.oid
union all
select 'child table ' || inhrelid::regclass from pg_inherits join raw on inhparent = raw.oid
union all
select 'deferrable constraint ' || quote_ident(conname) from pg_constraint join raw on conrelid = raw.oid
where condeferrable
union all
select 'row level security, which counts for its owner as well' from raw where row_security_active(raw.oid)
order by 1

-- query: dependent_views
-- Views on the raw table. A view follows the views it reads.
with recursive dependents(oid, depth) as (
    select to_regclass(%s)::oid, 0
    union all
    select w.ev_class, dependents.depth + 1
    from dependents
    join pg_depend d on d.refobjid = dependents.oid and d.classid = 'pg_rewrite'::regclass
    join pg_rewrite w on w.oid = d.objid and w.ev_class <> dependents.oid
)
select
    c.oid::regclass::text,
    pg_get_viewdef(c.oid),
    quote_ident(pg_get_userbyid(c.relowner)),
    (select array_agg(array[
        case when a.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end,
        a.privilege_type])
     from aclexplode(c.relacl) a where a.grantee <> c.relowner),
    array_to_string(c.reloptions, ', '),
    pg_has_role(c.relowner, 'usage')
from (select oid, max(depth) as depth from dependents where depth > 0 group by oid) found
join pg_class c on c.oid = found.oid and c.relkind = 'v'
order by found.depth
