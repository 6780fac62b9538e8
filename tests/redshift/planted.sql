-- What Postgres takes and Redshift refuses, or reads in another way. A test runs each on the real Postgres and expects
-- the gate to find it. The tables are in test_gate.py.

-- filter on an aggregate
select customer_id, count(*) filter (where status = 'Shipped') as shipped from orders group by customer_id;
-- filter on a window
select sum(amount) filter (where amount > 0) over (partition by customer_id) as paid from orders;
-- lateral join
select customers.name, last_order.order_date from customers
cross join lateral (select order_date from orders where orders.customer_id = customers.customer_id limit 1) as last_order;
-- left join lateral
select customers.name, newest.order_date from customers
left join lateral (select max(order_date) as order_date from orders where orders.customer_id = customers.customer_id) as newest on true;
-- distinct on
select distinct on (customer_id) customer_id, order_date from orders order by customer_id, order_date desc;
-- values as a table
select code, label from (values (1, 'one'), (2, 'two')) as labels (code, label);
-- values in a common table expression
with labels (code, label) as (values (1, 'one'), (2, 'two')) select code from labels;
-- values alone
values (1), (2);
-- window clause
select rank() over by_day as place from orders window by_day as (partition by customer_id order by order_date);
-- is distinct from
select order_id from orders where status is distinct from note;
-- is not distinct from
select orders.order_id from orders inner join staged on orders.status is not distinct from staged.status;
-- array constructor
select array[1, 2, 3] as numbers;
-- array type
select cast('{1,2}' as integer[]) as numbers;
-- any of an array
select order_id from orders where order_id = any(array[1, 2]);
-- array of a subquery
select array(select order_id from orders) as numbers;
-- json arrow
select payload -> 'city' as city from customers;
-- json text arrow
select payload ->> 'city' as city from customers;
-- jsonb contains
select cast(payload as jsonb) @> '{"city": "Nantes"}' as is_there from customers;
-- json cast
select cast(note as json) as payload from orders;
-- json built
select json_build_object('order', order_id) as payload from orders;
-- jsonb aggregated
select jsonb_agg(order_id) as payload from orders;
-- row to json
select row_to_json(orders) as payload from orders;
-- is json
select order_id from orders where note is json;
-- uuid made
select gen_random_uuid() as id;
-- uuid cast
select cast('0b9c7e5e-7a0c-4f2f-9d0e-2a8f6f1f8f00' as uuid) as id;
-- generate_series
select day_seen from generate_series(date '2005-01-01', date '2005-01-31', interval '1 day') as days (day_seen);
-- generate_series of numbers
select number from generate_series(1, 10) as numbers (number);
-- string_agg
select string_agg(status, ', ') as statuses from orders;
-- array_agg
select array_agg(order_id order by order_date) as order_ids from orders;
-- every
select every(amount > 0) as all_paid from orders;
-- corr
select corr(amount, order_id) as correlation from orders;
-- regr_slope
select regr_slope(amount, order_id) as slope from orders;
-- mode
select mode() within group (order by status) as most from orders;
-- percentile_disc as an aggregate
select percentile_disc(0.5) within group (order by amount) as half from orders;
-- concat of three
select concat(status, '-', note) as label from orders;
-- concat_ws
select concat_ws(', ', status, note) as label from orders;
-- format
select format('%s of %s', order_id, customer_id) as label from orders;
-- bare numeric
select cast(amount * 1.19 as numeric) as gross from orders;
-- bare decimal column
create table gross_amounts (order_id integer, gross decimal);
-- text column
create table remarks (order_id integer, remark text);
-- unsized varchar column
create table remarks (order_id integer, remark varchar);
-- unsized text cast
select cast(note as text) as note from orders;
-- unsized cast with colons
select note::text as note from orders;
-- unsized varchar cast
select cast(note as varchar) as note from orders;
-- unsized character varying
select note::character varying as note from orders;
-- varchar longer than Redshift's
create table remarks (order_id integer, remark varchar(100000));
-- numeric wider than Redshift's
select cast(amount as numeric(50, 10)) as amount from orders;
-- bytea
select cast('abc' as bytea) as bytes;
-- serial
create table numbered (id serial, remark varchar(10));
-- money
select cast(amount as money) as price from orders;
-- inet
create table visits (address inet, visited_at timestamp);
-- text search
select to_tsvector('simple', note) as words from orders;
-- materialized
with recent as materialized (select order_id from orders) select order_id from recent;
-- not materialized
with recent as not materialized (select order_id from orders) select order_id from recent;
-- data-modifying common table expression
with gone as (delete from staged where order_id < 0 returning order_id) select count(*) as row_count from gone;
-- recursive without a list of columns
with recursive numbers as (select 1 as number union all select number + 1 from numbers where number < 5) select number from numbers;
-- recursive in a subquery
select count(*) as row_count from (with recursive numbers (number) as (select 1 union all select number + 1 from numbers where number < 5) select number from numbers) as counted;
-- merge with a condition
merge into orders using staged on orders.order_id = staged.order_id
when matched and staged.status = 'Cancelled' then delete
when not matched then insert (order_id) values (staged.order_id);
-- merge that only updates
merge into orders using staged on orders.order_id = staged.order_id when matched then update set status = staged.status;
-- merge that does nothing
merge into orders using staged on orders.order_id = staged.order_id
when matched then do nothing when not matched then insert (order_id) values (staged.order_id);
-- merge with an alias for the target
merge into orders as target using staged on target.order_id = staged.order_id
when matched then update set status = staged.status when not matched then insert (order_id) values (staged.order_id);
-- merge from a subquery
merge into orders using (select order_id, status from staged) as changes on orders.order_id = changes.order_id
when matched then update set status = changes.status when not matched then insert (order_id) values (changes.order_id);
-- on conflict
insert into customers (customer_id, name) values (1, 'Atelier graphique') on conflict (customer_id) do nothing;
-- returning
insert into staged (order_id) values (1) returning order_id;
-- update of several columns at once
update orders set (status, note) = (select 'Shipped', 'by rail') where order_id = 1;
-- index
create index orders_by_customer on orders (customer_id);
-- unique index
create unique index if not exists customers_by_name on customers (name);
-- unlogged table
create unlogged table draft_orders (order_id integer);
-- partitioned table
create table orders_by_year (order_id integer, order_date date) partition by range (order_date);
-- inherited table
create table late_orders (late_by integer) inherits (orders);
-- check constraint
create table prices (price numeric(12, 2) check (price > 0));
-- generated column
create table doubled (amount numeric(12, 2), twice numeric(12, 2) generated always as (amount * 2) stored);
-- identity without seed and step
create table numbered (id integer generated by default as identity, remark varchar(10));
-- like including all
create table orders_again (like orders including all);
-- temporary table dropped on commit
create temporary table draft (order_id integer) on commit drop;
-- table without data
create table empty_orders as select order_id from orders with no data;
-- foreign key that cascades
create table order_notes (customer_id integer references customers (customer_id) on delete cascade);
-- sequence
create sequence order_numbers;
-- enumerated type
create type order_status as enum ('Shipped', 'Cancelled');
-- function in plpgsql
create function one_more(given integer) returns integer as $$ begin return given + 1; end $$ language plpgsql;
-- temporary view
create temporary view recent_orders as select order_id from orders;
-- add column if not exists
alter table orders add column if not exists channel varchar(20);
-- two columns at once
alter table orders add column channel varchar(20), add column campaign varchar(20);
-- not null set later
alter table orders alter column status set not null;
-- type of a column changed
alter table orders alter column order_id type bigint;
-- truncate of two tables
truncate orders, staged;
-- aggregate over ordered rows without a frame
select sum(amount) over (partition by customer_id order by order_date) as running from orders;
-- last_value without a frame
select last_value(status) over (partition by customer_id order by order_date) as status_now from orders;
-- range frame
select sum(amount) over (order by order_date range between unbounded preceding and current row) as running from orders;
-- range frame by interval
select sum(amount) over (order by order_date range between interval '7 days' preceding and current row) as week from orders;
-- intersect all
select order_id from orders intersect all select order_id from staged;
-- except all
select order_id from orders except all select order_id from staged;
-- union distinct
select order_id from orders union distinct select order_id from staged;
-- fetch first
select order_id from orders order by order_id fetch first 10 rows only;
-- row lock
select order_id from orders where order_id = 1 for update;
-- tablesample
select order_id from orders tablesample bernoulli (10);
-- with ordinality
select word, place from string_to_table('a b', ' ') with ordinality as words (word, place);
-- between symmetric
select order_id from orders where order_id between symmetric 10 and 1;
-- now
select order_id from orders where loaded_at < now();
-- current_timestamp
select order_id, current_timestamp as seen_at from orders;
-- age
select age(loaded_at) as waiting from orders;
-- make_date
select make_date(2005, 5, order_id) as day_seen from orders where order_id < 28;
-- to_timestamp of an epoch
select to_timestamp(order_id) as ordered_at from orders;
-- iso day of the week
select extract(isodow from order_date) as day_of_week from orders;
-- iso year by date_part
select date_part('isoyear', order_date) as iso_year from orders;
-- date_trunc in a time zone
select date_trunc('day', cast(loaded_at as timestamptz), 'Europe/Paris') as day_seen from orders;
-- regexp_match
select regexp_match(note, 'by ([a-z]+)') as found from orders;
-- regexp_split_to_table
select regexp_split_to_table(note, ' ') as word from orders;
-- regexp_replace with flags
select regexp_replace(note, '[0-9]', '', 'g') as note from orders;
-- case-insensitive regular expression
select order_id from orders where note ~* 'rail';
-- backslash in a pattern
select regexp_replace(note, '\s+', ' ') as note from orders;
-- split_part from the right
select split_part(note, ' ', -1) as last_word from orders;
-- decoded bytes
select decode(note, 'base64') as bytes from orders where order_id < 0;
-- sha256
select sha256('abc') as digest;
-- width_bucket
select width_bucket(amount, 0, 100, 5) as bucket from orders;
-- div
select div(order_id, 2) as half from orders;
-- overlay
select overlay(note placing 'xx' from 1 for 2) as note from orders;
-- starts_with
select order_id from orders where starts_with(note, 'by');
-- num_nonnulls
select num_nonnulls(status, note) as known from orders;
-- collation
select name from customers order by name collate "C";
-- a common table expression called raw
with raw as (select order_id from orders) select order_id from raw;
-- a column called tag
select status as tag from orders;
-- a column definition called percent
create table shares (percent numeric(5, 2));
-- nextval
select nextval('numbers_seen') as number;
-- savepoint
savepoint before_change;
-- anonymous block
do $$ begin perform 1; end $$;
-- explain analyze
explain analyze select order_id from orders;
-- lock in a mode
lock table orders in share mode;
-- row constructor
select order_id from orders where row(order_id, customer_id) = row(1, 2);
-- size of a table
select pg_total_relation_size('orders') as bytes;
-- data type of the catalogue
select cast('orders' as regclass) as relation;
-- clock
select order_id from orders where loaded_at < clock_timestamp();
-- words as an array
select string_to_array(note, ' ') as words from orders;
-- deletion in a common table expression
with gone as (delete from staged where order_id < 0) select count(*) as row_count from orders;
-- description of an object
select obj_description(to_regclass('orders')) as description;
-- depth first
with recursive numbers (number) as (select 1 union all select number + 1 from numbers where number < 5) search depth first by number set place
select number from numbers;
-- group by distinct
select status from orders group by distinct rollup (status), rollup (status);
-- current_catalog
select current_catalog as name;
-- at local
select cast(loaded_at as timestamptz) at local as local_time from orders;
-- starts with, as an operator
select order_id from orders where note ^@ 'by';
-- literal of a type that is not there
select json '{"a": 1}' as payload;
-- overriding a generated value
insert into staged (order_id) overriding system value values (1);
-- constraint that waits
create table waiting (id integer primary key deferrable initially deferred);
-- exclusion constraint
create table shifts (during varchar(10), exclude using btree (during with =));
-- the one-byte char
select cast('a' as "char") as letter;
-- window ordered by a number
select row_number() over (partition by customer_id order by 1) as place from orders;
-- window ordered by a text, at the end
select rank() over (order by customer_id, 'a' desc) as place from orders;
-- window ordered by null, with a frame
select sum(amount) over (order by null rows between unbounded preceding and current row) as total from orders;
-- default of lag
select lag(amount, 1, 0.00) over (order by order_date) as before from orders;
-- default of lead
select lead(status, 1, 'none') over (partition by customer_id order by order_date) as after from orders;
-- substring by a pattern
select substring(note from '[0-9]+') as number from orders;
-- precision of a timestamp
select cast(order_date as timestamp(0)) as ordered_at from orders;
-- precision of a timestamptz
create table visits (visited_at timestamptz(3));
