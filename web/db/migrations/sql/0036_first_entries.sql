-- The same entries as before. What an insert tells is one statement now: the rows are read and the entry is written at once.
GRANT CREATE ON SCHEMA public TO tenant_lookup;
SET LOCAL ROLE tenant_lookup;
CREATE OR REPLACE FUNCTION audit_write() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  masked constant text[] := TG_ARGV[0];
  ignored constant text[] := TG_ARGV[1];
  key constant text[] := TG_ARGV[2];
  ids text[];
  old_values jsonb;
  new_values jsonb;
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO audit_entries (actor, request_id, merchant_id, table_name, operation, object_ids, after)
    SELECT coalesce(nullif(current_setting('meridian.actor', true), ''), session_user),
           nullif(current_setting('meridian.request_id', true), ''), nullif(current_setting('meridian.merchant_id', true), ''),
           TG_TABLE_NAME, 'insert', array_agg(audit_name(n.j, key)), jsonb_agg(n.j - masked)
      FROM (SELECT to_jsonb(r) AS j FROM new_rows AS r OFFSET 0) AS n
    HAVING count(*) > 0;
    RETURN NULL;
  ELSIF TG_OP = 'DELETE' THEN
    SELECT array_agg(audit_name(o.j, key)), jsonb_agg(o.j - masked) INTO ids, old_values
      FROM (SELECT to_jsonb(r) AS j FROM old_rows AS r OFFSET 0) AS o;
  ELSE
    SELECT array_agg(c.id ORDER BY c.id), jsonb_agg(c.old_row ORDER BY c.id), jsonb_agg(c.new_row ORDER BY c.id)
      INTO ids, old_values, new_values
      FROM (SELECT coalesce(n.id, o.id) AS id, audit_changes(o.j, coalesce(n.j, '{}'), masked, ignored) AS old_row,
                   audit_changes(n.j, coalesce(o.j, '{}'), masked, ignored) AS new_row
              FROM (SELECT r.j, audit_name(r.j, key) AS id FROM (SELECT to_jsonb(o) AS j FROM old_rows AS o OFFSET 0) AS r) AS o
              FULL JOIN (SELECT r.j, audit_name(r.j, key) AS id FROM (SELECT to_jsonb(n) AS j FROM new_rows AS n OFFSET 0) AS r) AS n
                ON n.id = o.id
            OFFSET 0) AS c
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
RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM tenant_lookup;
