{#-
    Fails for every member of a type 2 dimension whose versions do not bind each day exactly once: the first must open at the
    beginning of time, each must go on where the one before ends, the last must never end, at most one may be current, and
    none may end before it opens.
-#}
{% test versions_are_contiguous(model, natural_key) %}
with versions as (
    select
        {{ natural_key }} as natural_key,
        binds_from,
        binds_to,
        valid_from,
        valid_to,
        is_current,
        lag(binds_to) over (partition by {{ natural_key }} order by valid_from) as previous_binds_to,
        lag(valid_to) over (partition by {{ natural_key }} order by valid_from) as previous_valid_to,
        lead(binds_from) over (partition by {{ natural_key }} order by valid_from) as next_binds_from
    from {{ model }}
    where {{ natural_key }} is not null
),

wrong_versions as (
    select natural_key
    from versions
    where
        valid_to < valid_from
        or binds_to < binds_from
        or previous_valid_to > valid_from
        or binds_from <> coalesce(previous_binds_to, cast({{ beginning_of_time() }} as date))
        or (next_binds_from is null and binds_to <> cast({{ end_of_time() }} as date))
        or (is_current and valid_to <> {{ end_of_time() }})
        or (not is_current and valid_to = {{ end_of_time() }})
),

twice_current as (
    select natural_key
    from versions
    where is_current
    group by natural_key
    having count(*) > 1
)

select natural_key from wrong_versions
union
select natural_key from twice_current
{% endtest %}
