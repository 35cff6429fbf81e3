-- The audit log: every write to a business table, by whoever makes it. Triggers write it, in the transaction of the change, so no service
-- can forget it. An entry is what one statement did to one table. It never changes and never goes; the worker's sealer chains entries that are
-- committed (regions/audit.py says how), and whoever edits one anyway is found out by `meridian audit verify`.
--
-- Personal data and what grants access are not copied: erasure would have to break the chain. Such a column shows as "[masked]" when it changes.
CREATE TABLE audit_entries (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  xid         xid8 NOT NULL DEFAULT pg_current_xact_id(),
  at          timestamptz NOT NULL DEFAULT clock_timestamp(),
  actor       text NOT NULL,                           -- an API key's id, payer, console:user_eu_…, or the database role
  request_id  text,
  merchant_id text,                                    -- whose rows the transaction was let at
  table_name  text NOT NULL,
  operation   text NOT NULL CHECK (operation IN ('insert', 'update', 'delete')),
  object_ids  text[] NOT NULL,
  before      jsonb,                                   -- one object a row: of an update, what changed; of a deletion, all
  after       jsonb
);
CREATE INDEX audit_entries_by_xid ON audit_entries (xid);

-- A seal: the entries that were committed since the last one, in order, with the SHA-256 of each.
CREATE TABLE audit_seals (
  number       bigint PRIMARY KEY CHECK (number >= 1), -- from 1, without gaps
  sealed_at    timestamptz NOT NULL,
  entry_ids    bigint[] NOT NULL,
  entry_hashes bytea[] NOT NULL,
  previous     bytea NOT NULL CHECK (length(previous) = 32),
  hash         bytea NOT NULL UNIQUE CHECK (length(hash) = 32),
  signature    bytea NOT NULL,                         -- Ed25519 of the hash, under the region's key
  snapshot     pg_snapshot NOT NULL,                   -- what is visible in it is sealed
  CHECK (cardinality(entry_ids) = cardinality(entry_hashes) AND cardinality(entry_ids) > 0)
);

CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER audit_entries_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries
  FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_seals_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_seals
  FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();

-- What changed of a row: keys whose values differ, masked where they must not be told; NULL if nothing that counts did.
CREATE FUNCTION audit_changes(p_row jsonb, p_other jsonb, p_masked text[], p_ignored text[]) RETURNS jsonb
  LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT jsonb_object_agg(key, CASE WHEN key = ANY (p_masked) AND value <> 'null' THEN '"[masked]"' ELSE value END)
    FROM jsonb_each(p_row) WHERE value IS DISTINCT FROM p_other -> key AND NOT key = ANY (p_ignored)
$$;

-- A row's name in the log: its key, the parts of a longer one with slashes.
CREATE FUNCTION audit_name(p_row jsonb, p_key text[]) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN (p_row ->> p_key[1]) || coalesce('/' || (p_row ->> p_key[2]), '') || coalesce('/' || (p_row ->> p_key[3]), '');

-- Arguments: columns to mask, columns whose change alone is no entry, the columns of the key.
CREATE FUNCTION audit_write() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  masked constant text[] := TG_ARGV[0];
  ignored constant text[] := TG_ARGV[1];
  key constant text[] := TG_ARGV[2];
  ids text[];
  old_values jsonb;
  new_values jsonb;
BEGIN
  IF TG_OP = 'INSERT' THEN
    SELECT array_agg(audit_name(n.j, key)), jsonb_agg(n.j - masked) INTO ids, new_values
      FROM (SELECT to_jsonb(r) AS j FROM new_rows AS r) AS n;
  ELSIF TG_OP = 'DELETE' THEN
    SELECT array_agg(audit_name(o.j, key)), jsonb_agg(o.j - masked) INTO ids, old_values
      FROM (SELECT to_jsonb(r) AS j FROM old_rows AS r) AS o;
  ELSE
    SELECT array_agg(c.id ORDER BY c.id), jsonb_agg(c.old_row ORDER BY c.id), jsonb_agg(c.new_row ORDER BY c.id)
      INTO ids, old_values, new_values
      FROM (SELECT coalesce(n.id, o.id) AS id, audit_changes(o.j, coalesce(n.j, '{}'), masked, ignored) AS old_row,
                   audit_changes(n.j, coalesce(o.j, '{}'), masked, ignored) AS new_row
              FROM (SELECT to_jsonb(r) AS j, audit_name(to_jsonb(r), key) AS id FROM old_rows AS r) AS o
              FULL JOIN (SELECT to_jsonb(r) AS j, audit_name(to_jsonb(r), key) AS id FROM new_rows AS r) AS n ON n.id = o.id) AS c
     WHERE c.old_row IS NOT NULL OR c.new_row IS NOT NULL;
  END IF;
  IF ids IS NOT NULL THEN
    INSERT INTO audit_entries (actor, request_id, merchant_id, table_name, operation, object_ids, before, after)
    VALUES (coalesce(nullif(current_setting('meridian.actor', true), ''), session_user),
            nullif(current_setting('meridian.request_id', true), ''), nullif(current_setting('meridian.merchant_id', true), ''),
            TG_TABLE_NAME, lower(TG_OP), ids, old_values, new_values);
  END IF;
  RETURN NULL;
END $$;

-- Every table of regions/contracts/tables.toml is audited, or named with its reason in web/audit/domain.py: a test insists.
CREATE FUNCTION audit_table(p_table text, p_masked text[] DEFAULT '{}', p_ignored text[] DEFAULT '{}', p_key text[] DEFAULT '{id}')
  RETURNS void
  LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE TRIGGER audit_insert AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT '
                 'EXECUTE FUNCTION audit_write(%L, %L, %L)', p_table, p_masked, p_ignored, p_key);
  EXECUTE format('CREATE TRIGGER audit_update AFTER UPDATE ON %I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows '
                 'FOR EACH STATEMENT EXECUTE FUNCTION audit_write(%L, %L, %L)', p_table, p_masked, p_ignored, p_key);
  EXECUTE format('CREATE TRIGGER audit_delete AFTER DELETE ON %I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT '
                 'EXECUTE FUNCTION audit_write(%L, %L, %L)', p_table, p_masked, p_ignored, p_key);
END $$;

SELECT audit_table('merchants', '{name}');
SELECT audit_table('api_keys', '{hash}', '{last_used_at}');
SELECT audit_table('links', '{code}');
SELECT audit_table('bulk_jobs', '{}', '{touched_at}');
SELECT audit_table('data_subjects', '{email_token}');
SELECT audit_table('checkout_sessions', '{token_hash,payer}');
SELECT audit_table('payments');
SELECT audit_table('attempts', '{card_token,card_last4,payment_token,action_url,sealed_order}', '{resolve_after,resolve_count}');
SELECT audit_table('refunds', '{}', '{resolve_after,resolve_count}');
SELECT audit_table('erasure_requests', '{idempotency_key}');
SELECT audit_table('legal_holds');
SELECT audit_table('routing_preferences', '{}', '{}', '{merchant_id,method,livemode}');
SELECT audit_table('webhook_endpoints');
SELECT audit_table('webhook_secrets', '{sealed}', '{}', '{endpoint_id,number}');
SELECT audit_table('console_users', '{email,password_hash}');

ALTER TABLE audit_entries ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_entries FORCE ROW LEVEL SECURITY;
CREATE POLICY writing ON audit_entries FOR INSERT TO tenant_lookup WITH CHECK (true);
CREATE POLICY sealing ON audit_entries FOR SELECT TO worker USING (true);
CREATE POLICY reader ON audit_entries FOR SELECT TO reader USING (true);
CREATE POLICY retention ON audit_entries FOR SELECT TO retention USING (true);
CREATE POLICY console ON audit_entries FOR SELECT TO console USING (merchant_id = current_merchant() OR sees_region());
GRANT INSERT ON audit_entries TO tenant_lookup;
GRANT SELECT ON audit_entries TO worker, reader, retention, console;
GRANT SELECT, INSERT ON audit_seals TO worker;
GRANT SELECT ON audit_seals TO reader, retention;
GRANT SELECT ON rate_buckets TO retention;                -- verification of an erasure searches every table

REVOKE EXECUTE ON FUNCTION audit_is_append_only(), audit_changes(jsonb, jsonb, text[], text[]), audit_write(),
  audit_table(text, text[], text[], text[]), audit_name(jsonb, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_changes(jsonb, jsonb, text[], text[]), audit_name(jsonb, text[]) TO tenant_lookup;
GRANT CREATE ON SCHEMA public TO tenant_lookup;
ALTER FUNCTION audit_write() OWNER TO tenant_lookup;
REVOKE CREATE ON SCHEMA public FROM tenant_lookup;
SET LOCAL ROLE tenant_lookup;
GRANT EXECUTE ON FUNCTION audit_write() TO owner;        -- what later migrations need for their own tables' triggers
RESET ROLE;
