-- The outbox by day. A partition holds the events whose ids (UUIDv7: they begin with their millisecond) were drawn on one
-- day in UTC, so the relay's order, by id, is the order of the partitions, and a day goes by dropping one table.
-- The days are made ahead by the worker (outbox_make_partitions) and dropped by `retention` (outbox_drop_partition), which
-- the database itself refuses while a consumer needs a row. A day without a partition is no outage: its rows wait in
-- `outbox_default`, which is an alarm, and move when the partition is made.
--
-- Readers look no further back than their window needs: bounds on `id` let PostgreSQL leave out the other days.

-- ---------------------------------------------------------------------------------------------------------------
-- Consumers: one that follows the relay tells its positions; one that reads the outbox itself tells how far it looks back.
ALTER TABLE stream_consumers ADD COLUMN window_seconds bigint CHECK (window_seconds > 0);
ALTER TABLE stream_consumers ADD CHECK (window_seconds IS NULL OR (positions = '{}' AND rewind_to IS NULL));
-- Both are there from the start, so that nothing goes before they have spoken. 31 days: features look back 30 days and follow a
-- payment for one more; the worker writes what regions/contracts/features.toml says.
INSERT INTO stream_consumers (name) VALUES ('lake') ON CONFLICT DO NOTHING;
INSERT INTO stream_consumers (name, window_seconds) VALUES ('online_features', 31 * 86400);
GRANT SELECT, UPDATE (window_seconds, updated_at) ON stream_consumers TO worker;
GRANT SELECT, INSERT, UPDATE ON stream_consumers TO dispatcher;

-- ---------------------------------------------------------------------------------------------------------------
-- The lowest id that can be drawn at a moment.
CREATE FUNCTION outbox_floor(p_at timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN (lpad(to_hex(floor(extract(epoch FROM p_at) * 1000)::bigint), 12, '0') || '00000000000000000000')::uuid;
CREATE FUNCTION outbox_moment(p_id uuid) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN to_timestamp(('x' || left(replace(p_id::text, '-', ''), 12))::bit(48)::bigint / 1000.0);

-- The table that is there becomes the first partition, up to the end of the last day that it has rows of (at least today):
-- nothing is copied. An empty one is not worth keeping.
ALTER TABLE outbox NO FORCE ROW LEVEL SECURITY;
ALTER TABLE outbox RENAME TO outbox_before;
ALTER INDEX outbox_pkey RENAME TO outbox_before_pkey;
ALTER INDEX outbox_by_xid RENAME TO outbox_before_by_xid;
ALTER INDEX outbox_risk_by_email RENAME TO outbox_before_risk_by_email;
ALTER INDEX outbox_risk_by_card RENAME TO outbox_before_risk_by_card;
ALTER INDEX outbox_risk_by_device RENAME TO outbox_before_risk_by_device;
ALTER INDEX outbox_risk_by_ip RENAME TO outbox_before_risk_by_ip;
ALTER INDEX outbox_risk_by_link RENAME TO outbox_before_risk_by_link;
ALTER INDEX outbox_risk_by_merchant RENAME TO outbox_before_risk_by_merchant;
REVOKE ALL ON outbox_before FROM web, worker, relay, reader, retention, tenant_lookup;
-- Rights on single columns are not taken away with the table's.
REVOKE SELECT (xid, type, subject, sequence, merchant_id, livemode, time, data) ON outbox_before FROM tenant_lookup;
REVOKE UPDATE (data, pii) ON outbox_before FROM retention;
DROP POLICY tenant ON outbox_before;
DROP POLICY worker ON outbox_before;
DROP POLICY reader ON outbox_before;
DROP POLICY relay ON outbox_before;
DROP POLICY lookup ON outbox_before;
DROP POLICY retention ON outbox_before;

CREATE TABLE outbox (LIKE outbox_before INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE) PARTITION BY RANGE (id);
ALTER TABLE outbox ADD PRIMARY KEY (id);
CREATE INDEX outbox_by_xid ON outbox (xid);
CREATE INDEX outbox_risk_by_email ON outbox (merchant_id, hashtextextended(data->>'email_token', 0), time)
  WHERE type = 'risk.assessed';
CREATE INDEX outbox_risk_by_card ON outbox (merchant_id, hashtextextended(data->>'card_token', 0), time)
  WHERE type = 'risk.assessed';
CREATE INDEX outbox_risk_by_device ON outbox (merchant_id, hashtextextended(data->>'device_token', 0), time)
  WHERE type = 'risk.assessed';
CREATE INDEX outbox_risk_by_ip ON outbox (merchant_id, hashtextextended(data->>'ip_token', 0), time)
  WHERE type = 'risk.assessed';
CREATE INDEX outbox_risk_by_link ON outbox (merchant_id, (data->>'link_id'), time)
  WHERE type IN ('risk.assessed', 'payment.succeeded', 'payment.failed');
CREATE INDEX outbox_risk_by_merchant ON outbox (merchant_id, time)
  WHERE type IN ('risk.assessed', 'payment.requires_action', 'payment.succeeded', 'payment.failed');

-- A partition is reached through `outbox` only: nobody holds a right on it. Its maintenance sees rows by a policy that asks for
-- a setting which the functions below make; with it unset the owner sees no row, as everywhere.
CREATE FUNCTION is_outbox_maintenance() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
  RETURN coalesce(current_setting('meridian.outbox_maintenance', true), '') = 'on';

CREATE FUNCTION outbox_dress_partition(p_name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', p_name);
  EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', p_name);
  EXECUTE format('CREATE POLICY maintenance ON %I TO owner USING (is_outbox_maintenance()) WITH CHECK (is_outbox_maintenance())', p_name);
  EXECUTE format('GRANT MAINTAIN ON %I TO retention', p_name); -- VACUUM asks for it on each partition
END $$;

DO $$
DECLARE
  newest uuid;
BEGIN
  SELECT id INTO newest FROM outbox_before ORDER BY id DESC LIMIT 1;
  IF newest IS NULL THEN
    DROP TABLE outbox_before;
  ELSE
    EXECUTE format('ALTER TABLE outbox ATTACH PARTITION outbox_before FOR VALUES FROM (MINVALUE) TO (%L)',
      outbox_floor((greatest(outbox_moment(newest), now()) AT TIME ZONE 'UTC')::date::timestamp AT TIME ZONE 'UTC' + interval '1 day'));
    PERFORM outbox_dress_partition('outbox_before');
  END IF;
END $$;
CREATE TABLE outbox_default PARTITION OF outbox DEFAULT;
ALTER TABLE outbox_default ADD UNIQUE (subject, sequence);
SELECT outbox_dress_partition('outbox_default');

ALTER TABLE outbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE outbox FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON outbox TO web USING (merchant_id = current_merchant()) WITH CHECK (merchant_id = current_merchant());
CREATE POLICY worker ON outbox TO worker USING (true) WITH CHECK (true);
CREATE POLICY reader ON outbox FOR SELECT TO reader USING (true);
CREATE POLICY relay ON outbox FOR SELECT TO relay USING (true);
CREATE POLICY lookup ON outbox FOR SELECT TO tenant_lookup USING (true);
CREATE POLICY retention ON outbox TO retention USING (true) WITH CHECK (true);
CREATE POLICY maintenance ON outbox TO owner USING (is_outbox_maintenance()) WITH CHECK (is_outbox_maintenance());
GRANT INSERT ON outbox TO web, worker;
GRANT SELECT ON outbox TO relay, reader, retention;
GRANT UPDATE (data, pii) ON outbox TO retention;
GRANT DELETE, MAINTAIN ON outbox TO retention;
GRANT SELECT (id, xid, type, subject, sequence, merchant_id, livemode, time, data) ON outbox TO tenant_lookup;

-- ---------------------------------------------------------------------------------------------------------------
-- What there is: a name, the ids that it takes (NULL: no bound), and its size.
CREATE VIEW outbox_partitions WITH (security_invoker = true) AS
  SELECT name, substring(bound FROM 'FROM \(''([0-9a-f-]{36})''\)')::uuid AS lower_id,
         substring(bound FROM 'TO \(''([0-9a-f-]{36})''\)')::uuid AS upper_id, bound = 'DEFAULT' AS is_default, bytes
    FROM (SELECT c.relname::text AS name, pg_get_expr(c.relpartbound, c.oid) AS bound, pg_total_relation_size(c.oid) AS bytes
            FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
           WHERE i.inhparent = 'public.outbox'::regclass) AS p;

-- Make every day's partition from yesterday (clocks differ) to `p_days_ahead` days from now, and one for each day that has rows
-- in the default partition; returns how many were made. Attaching takes no lock that an insert waits for.
CREATE FUNCTION outbox_make_partitions(p_days_ahead integer) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = public, pg_temp SET timezone = 'UTC' SET lock_timeout = '200ms' AS $$
DECLARE
  day date;
  made integer := 0;
  name text;
  from_id uuid;
  upto_id uuid;
BEGIN
  PERFORM set_config('meridian.outbox_maintenance', 'on', true);
  PERFORM pg_advisory_xact_lock(19794, 101); -- two workers never make the same day
  FOR day IN
    SELECT d::date FROM generate_series(current_date - 1, current_date + p_days_ahead, interval '1 day') AS d
    UNION SELECT outbox_moment(id)::date FROM outbox_default ORDER BY 1
  LOOP
    from_id := outbox_floor(day::timestamptz);
    upto_id := outbox_floor((day + 1)::timestamptz);
    CONTINUE WHEN EXISTS (SELECT FROM outbox_partitions AS p WHERE NOT p.is_default
      AND coalesce(p.lower_id < upto_id, true) AND coalesce(p.upper_id > from_id, true));
    name := 'outbox_' || to_char(day, 'YYYYMMDD');
    EXECUTE format('CREATE TABLE %I (LIKE outbox INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)', name);
    EXECUTE format('ALTER TABLE %I ADD PRIMARY KEY (id), ADD UNIQUE (subject, sequence)', name);
    PERFORM outbox_dress_partition(name);
    IF EXISTS (SELECT FROM outbox_default WHERE id >= from_id AND id < upto_id) THEN
      LOCK TABLE outbox_default IN ACCESS EXCLUSIVE MODE; -- only here: nobody may read a row twice or not at all
      EXECUTE format('WITH moved AS (DELETE FROM outbox_default WHERE id >= %L AND id < %L RETURNING *) INSERT INTO %I SELECT * FROM moved',
                     from_id, upto_id, name);
    END IF;
    EXECUTE format('ALTER TABLE outbox ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name, from_id, upto_id);
    made := made + 1;
  END LOOP;
  PERFORM set_config('meridian.outbox_maintenance', '', true);
  RETURN made;
END $$;

-- The first batch that some follower may lack, and who; NULL when nobody lacks anything that was acknowledged. A follower that has a
-- partition's last position lacks nothing there, however old it is.
CREATE FUNCTION outbox_needed_from(OUT consumer text, OUT epoch integer, OUT batch bigint) LANGUAGE sql STABLE AS $$
  SELECT l.name, l.place[1]::integer, l.place[2] FROM (
    SELECT s.name, coalesce(string_to_array(s.positions ->> p.key, ':')::bigint[], '{0,0,0}') AS place
      FROM stream_consumers AS s, relay_cursor AS c, jsonb_each_text(c.partitions) AS p
     WHERE s.window_seconds IS NULL
       AND coalesce(string_to_array(s.positions ->> p.key, ':')::bigint[], '{0,0,0}') < string_to_array(p.value, ':')::bigint[]
    UNION ALL
    SELECT s.name, coalesce(string_to_array(nullif(s.rewind_to, ''), ':')::bigint[], '{0,0,0}') FROM stream_consumers AS s
     WHERE s.rewind_to IS NOT NULL) AS l
   ORDER BY l.place LIMIT 1
$$;

-- What every follower has: a snapshot. Rows that it does not see may still be needed.
CREATE FUNCTION outbox_passed() RETURNS pg_snapshot LANGUAGE plpgsql STABLE AS $$
DECLARE
  needed record;
  passed pg_snapshot;
BEGIN
  SELECT * INTO needed FROM outbox_needed_from();
  IF needed.consumer IS NULL THEN
    SELECT snapshot INTO passed FROM relay_cursor;
  ELSE
    SELECT previous INTO passed FROM relay_batches AS b WHERE (b.epoch, b.batch) >= (needed.epoch, needed.batch)
     ORDER BY b.epoch, b.batch LIMIT 1;
  END IF;
  RETURN passed;
END $$;

-- Drop one partition; NULL when it is gone, else the sentence that says why it stays. `p_now` may be earlier than the clock, not later.
CREATE FUNCTION outbox_drop_partition(p_name text, p_now timestamptz) RETURNS text LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = public, pg_temp SET lock_timeout = '100ms' AS $$
DECLARE
  part outbox_partitions;
  looker record;
  passed pg_snapshot;
  is_needed boolean;
BEGIN
  SELECT * INTO part FROM outbox_partitions AS p WHERE p.name = p_name AND NOT p.is_default;
  IF NOT FOUND THEN
    RETURN 'there is no such partition of a day';
  END IF;
  IF part.upper_id > outbox_floor(least(p_now, clock_timestamp())) THEN
    RETURN 'its day is not over';
  END IF;
  SELECT name, window_seconds INTO looker FROM stream_consumers WHERE window_seconds IS NOT NULL ORDER BY window_seconds DESC LIMIT 1;
  IF looker.name IS NOT NULL AND part.upper_id > outbox_floor(least(p_now, clock_timestamp()) - looker.window_seconds * interval '1 second') THEN
    RETURN format('%s looks back as far as this day', looker.name);
  END IF;
  -- Ends what is still being written to it, or gives up: a long transaction may have begun on that day.
  EXECUTE format('LOCK TABLE %I IN SHARE MODE', p_name);
  passed := outbox_passed();
  IF passed IS NULL THEN
    is_needed := true;
  ELSE
    PERFORM set_config('meridian.outbox_maintenance', 'on', true);
    EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE xid >= pg_snapshot_xmin($1) AND NOT pg_visible_in_snapshot(xid, $1))', p_name)
      INTO is_needed USING passed;
    PERFORM set_config('meridian.outbox_maintenance', '', true);
  END IF;
  IF is_needed THEN
    RETURN format('%s has not passed it', coalesce((SELECT consumer FROM outbox_needed_from()), 'the relay'));
  END IF;
  EXECUTE format('DROP TABLE %I', p_name);
  RETURN NULL;
EXCEPTION WHEN lock_not_available THEN
  RETURN 'it is in use: try again';
END $$;

-- Batches of which no row is left, and which everybody has, need no memory. Returns how many went.
CREATE FUNCTION outbox_prune_batches() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = public, pg_temp AS $$
DECLARE
  needed record;
  oldest xid8;
  pruned bigint;
BEGIN
  SELECT * INTO needed FROM outbox_needed_from();
  PERFORM set_config('meridian.outbox_maintenance', 'on', true);
  SELECT xid INTO oldest FROM outbox ORDER BY xid LIMIT 1;
  PERFORM set_config('meridian.outbox_maintenance', '', true);
  DELETE FROM relay_batches AS b USING relay_cursor AS c
   WHERE (b.epoch, b.batch) < (c.epoch, c.batch) AND (oldest IS NULL OR pg_snapshot_xmax(b.snapshot) <= oldest)
     AND (needed.consumer IS NULL OR (b.epoch, b.batch) < (needed.epoch, needed.batch));
  GET DIAGNOSTICS pruned = ROW_COUNT;
  RETURN pruned;
END $$;

-- ---------------------------------------------------------------------------------------------------------------
-- The door of fraud features: what it answers is what it was. In plpgsql its statements are planned once per session, not at every
-- attempt (planning over 40 days costs 100 ms), and bounds on `id` leave out days: an event of a payment has a higher id than the
-- assessment before it, and is at most `p_attribution` younger. An hour is room for clocks. One branch per token, as each has its index.
DROP FUNCTION risk_events(text, text, boolean, timestamptz, interval);
DO $do$
DECLARE
  branch constant text := $branch$
  IF p_entity = '%1$s' THEN
    RETURN QUERY
    SELECT e.type, e.time, e.data
      FROM (SELECT o.id, o.subject, o.sequence, o.time FROM public.outbox AS o
             WHERE o.type = 'risk.assessed' AND o.merchant_id = merchant AND o.livemode = p_livemode
               AND hashtextextended(o.data->>'%1$s', 0) = hashtextextended(p_value, 0) AND o.data->>'%1$s' = p_value
               AND o.time > p_since - p_attribution AND o.id >= first_id OFFSET 0) AS a
     CROSS JOIN LATERAL
           (SELECT min(b.sequence) AS sequence FROM public.outbox AS b
             WHERE b.subject = a.subject AND b.type = 'risk.assessed' AND b.sequence > a.sequence AND b.id >= first_id
               AND b.id > a.id AND b.id < public.outbox_floor(uuid_extract_timestamp(a.id) + p_attribution + interval '1 hour')) AS next
     CROSS JOIN LATERAL
           (SELECT o.type, o.time, o.data FROM public.outbox AS o
             WHERE o.subject = a.subject AND o.sequence >= a.sequence AND (next.sequence IS NULL OR o.sequence < next.sequence)
               AND o.type IN ('risk.assessed', 'payment.requires_action', 'payment.succeeded', 'payment.failed')
               AND o.time >= p_since AND o.time < a.time + p_attribution AND o.id >= first_id
               AND o.id >= a.id AND o.id < public.outbox_floor(uuid_extract_timestamp(a.id) + p_attribution + interval '1 hour')
               AND o.xid IS DISTINCT FROM own OFFSET 0) AS e;
    RETURN;
  END IF;
$branch$;
BEGIN
  EXECUTE format($function$
CREATE FUNCTION risk_events(p_entity text, p_value text, p_livemode boolean, p_since timestamptz, p_attribution interval)
  RETURNS TABLE (type text, "time" timestamptz, data jsonb)
  LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 100 SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  merchant constant text := public.current_merchant();
  own constant xid8 := pg_current_xact_id_if_assigned();
  first_id constant uuid := public.outbox_floor(p_since - p_attribution - interval '1 hour');
BEGIN
  IF p_value IS NULL THEN
    RETURN;
  END IF;
%s%s%s%s
  IF p_entity = 'link' THEN
    RETURN QUERY
    SELECT e.type, e.time, e.data FROM public.outbox AS e
     WHERE e.type IN ('risk.assessed', 'payment.succeeded', 'payment.failed')
       AND e.merchant_id = merchant AND e.data->>'link_id' = p_value
       AND e.livemode = p_livemode AND e.time >= p_since AND e.id >= first_id AND e.xid IS DISTINCT FROM own;
  ELSIF p_entity = 'merchant' AND p_value = merchant THEN
    RETURN QUERY
    SELECT e.type, e.time, e.data FROM public.outbox AS e
     WHERE e.type IN ('risk.assessed', 'payment.requires_action', 'payment.succeeded', 'payment.failed')
       AND e.merchant_id = merchant
       AND e.livemode = p_livemode AND e.time >= p_since AND e.id >= first_id AND e.xid IS DISTINCT FROM own;
  END IF;
END $$$function$, format(branch, 'email_token'), format(branch, 'card_token'), format(branch, 'device_token'), format(branch, 'ip_token'));
END $do$;
REVOKE EXECUTE ON FUNCTION risk_events(text, text, boolean, timestamptz, interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION risk_events(text, text, boolean, timestamptz, interval) TO web;
GRANT EXECUTE ON FUNCTION outbox_floor(timestamptz) TO tenant_lookup;
GRANT CREATE ON SCHEMA public TO tenant_lookup;
ALTER FUNCTION risk_events(text, text, boolean, timestamptz, interval) OWNER TO tenant_lookup;
REVOKE CREATE ON SCHEMA public FROM tenant_lookup;

-- ---------------------------------------------------------------------------------------------------------------
REVOKE EXECUTE ON FUNCTION outbox_floor(timestamptz), outbox_moment(uuid), is_outbox_maintenance(), outbox_dress_partition(text),
  outbox_make_partitions(integer), outbox_needed_from(), outbox_passed(), outbox_drop_partition(text, timestamptz),
  outbox_prune_batches() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION outbox_make_partitions(integer) TO worker, retention;
GRANT EXECUTE ON FUNCTION outbox_drop_partition(text, timestamptz), outbox_prune_batches() TO retention;
GRANT EXECUTE ON FUNCTION outbox_floor(timestamptz), outbox_moment(uuid), outbox_needed_from() TO reader, retention;
GRANT SELECT ON outbox_partitions TO worker, relay, reader, retention;
SELECT outbox_make_partitions(3);
