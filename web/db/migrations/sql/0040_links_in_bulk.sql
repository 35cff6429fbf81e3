-- The same events as before, for less. A server without a library for randomness opens a file for each UUID, which was a twelfth of what
-- a bulk link costs: one is drawn a statement, and counted up in its last 32 bits. Whatever is drawn later has a later time in front, so
-- ids still sort as their events happened.
CREATE OR REPLACE FUNCTION append_first_events(
  p_type text, p_family text, p_merchant_id text, p_livemode boolean, p_schema_version smallint, p_correlation_id text, p_events json
) RETURNS bigint LANGUAGE sql AS $$
  WITH given AS MATERIALIZED (
    SELECT subject, data, number
      FROM ROWS FROM (json_to_recordset(p_events) AS (subject text, data jsonb)) WITH ORDINALITY AS given (subject, data, number)
  ), drawn AS MATERIALIZED (
    SELECT left(uuidv7()::text, 28) AS head
  ), sequenced AS (
    INSERT INTO object_sequences (object_id, merchant_id, sequence) SELECT subject, p_merchant_id, 1 FROM given
  ), appended AS (
    INSERT INTO outbox (id, type, family, subject, sequence, merchant_id, livemode, time, schema_version, correlation_id, data)
    SELECT (head || lpad(to_hex(number), 8, '0'))::uuid, p_type, p_family, subject, 1, p_merchant_id, p_livemode, clock_timestamp(),
           p_schema_version, p_correlation_id, data
      FROM given CROSS JOIN drawn
    RETURNING 1
  ) SELECT count(*) FROM appended
$$;

-- The same entries as before: a link's columns but for its code. The row as it is costs half of a row as JSON of which something is
-- taken away. A column that comes later is named here too: a test compares.
CREATE FUNCTION audit_new_links() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  INSERT INTO audit_entries (actor, request_id, merchant_id, table_name, operation, object_ids, after)
  SELECT coalesce(nullif(current_setting('meridian.actor', true), ''), session_user),
         nullif(current_setting('meridian.request_id', true), ''), nullif(current_setting('meridian.merchant_id', true), ''),
         TG_TABLE_NAME, 'insert', array_agg(n.id), jsonb_agg(n)
    FROM (SELECT id, merchant_id, livemode, amount_minor, currency, reference, description, metadata, usage, status, channel, campaign,
                 expires_at, created_at, deactivated_at, max_payments, terms, regenerated_from, expired_at FROM new_rows) AS n
  HAVING count(*) > 0;
  RETURN NULL;
END $$;
GRANT CREATE ON SCHEMA public TO tenant_lookup;
ALTER FUNCTION audit_new_links() OWNER TO tenant_lookup;
REVOKE CREATE ON SCHEMA public FROM tenant_lookup;
SET LOCAL ROLE tenant_lookup;
REVOKE EXECUTE ON FUNCTION audit_new_links() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_new_links() TO owner;
RESET ROLE;
DROP TRIGGER audit_insert ON links;
CREATE TRIGGER audit_insert AFTER INSERT ON links REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
  EXECUTE FUNCTION audit_new_links();

-- Read backwards it gives the list's order as before; written forwards it grows at its end, and pages stay full.
DROP INDEX links_by_merchant;
CREATE INDEX links_by_merchant ON links (merchant_id, livemode, created_at, id);
DROP INDEX links_by_campaign;
CREATE INDEX links_by_campaign ON links (merchant_id, livemode, campaign, created_at, id) WHERE campaign IS NOT NULL;
