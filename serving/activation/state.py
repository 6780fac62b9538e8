"""The tables of what was sent; Postgres alone."""

TABLES = """
create schema if not exists activation;

-- One row per customer that was ever sent: the fields as last sent or about to be, empty once removed.
create table if not exists activation.customers (
    customer_number integer primary key,
    fields text,
    idempotency_key varchar(36) not null,
    state varchar(8) not null check (state in ('sending', 'done', 'refused')),
    reason varchar(200),
    loaded_at timestamp,
    changed_at timestamp with time zone not null default now()
);

create or replace view activation.rejects as
select customer_number, reason, fields, loaded_at, changed_at from activation.customers where state = 'refused';

-- One row per answer of the CRM. Fields of a customer go when its removal is done.
create table if not exists activation.audit (
    answered_at timestamp with time zone not null default now(),
    customer_number integer not null,
    action varchar(6) not null,
    fields text,
    idempotency_key varchar(36) not null,
    status integer not null,
    loaded_at timestamp,
    sent_by name not null default session_user
);
"""
