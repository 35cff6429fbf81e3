-- Where a link's metadata is found: a row a key, in the order of lists. An index on the JSON itself does not serve: its operators are not
-- leakproof, so row-level security keeps the planner from them, and it would have to sort whatever they found.
-- A trigger keeps it. Values stay in links.metadata alone: here are their hashes, which are short and need no second look (the planner
-- would take the second look for a rare hit, and sort all of them).
CREATE TABLE link_metadata (
  link_id     text NOT NULL REFERENCES links ON DELETE CASCADE,
  merchant_id text NOT NULL,
  livemode    boolean NOT NULL,
  key         text NOT NULL,
  value_md5   uuid NOT NULL,                              -- whoever makes two values alike finds both, of their own
  created_at  timestamptz NOT NULL,                       -- the link's
  PRIMARY KEY (link_id, key)
);

CREATE FUNCTION link_metadata_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    DELETE FROM link_metadata WHERE link_id = NEW.id;
  END IF;
  INSERT INTO link_metadata (link_id, merchant_id, livemode, key, value_md5, created_at)
  SELECT NEW.id, NEW.merchant_id, NEW.livemode, m.key, md5(m.value)::uuid, NEW.created_at
    FROM jsonb_each_text(NEW.metadata) AS m;
  RETURN NULL;
END $$;
-- The conditions cost next to nothing: most links have no metadata, and most changes do not touch it.
CREATE TRIGGER links_metadata_insert AFTER INSERT ON links
  FOR EACH ROW WHEN (NEW.metadata <> '{}') EXECUTE FUNCTION link_metadata_keep();
CREATE TRIGGER links_metadata_update AFTER UPDATE OF metadata ON links
  FOR EACH ROW WHEN (OLD.metadata IS DISTINCT FROM NEW.metadata) EXECUTE FUNCTION link_metadata_keep();

ALTER TABLE links NO FORCE ROW LEVEL SECURITY;             -- the owner sees the rows for once
INSERT INTO link_metadata (link_id, merchant_id, livemode, key, value_md5, created_at)
SELECT l.id, l.merchant_id, l.livemode, m.key, md5(m.value)::uuid, l.created_at
  FROM links AS l, jsonb_each_text(l.metadata) AS m;
ALTER TABLE links FORCE ROW LEVEL SECURITY;
CREATE INDEX link_metadata_by_key ON link_metadata (merchant_id, livemode, key, created_at DESC, link_id DESC);
CREATE INDEX link_metadata_by_value ON link_metadata (merchant_id, livemode, key, value_md5, created_at DESC, link_id DESC);

ALTER TABLE link_metadata ENABLE ROW LEVEL SECURITY;
ALTER TABLE link_metadata FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON link_metadata TO web USING (merchant_id = current_merchant()) WITH CHECK (merchant_id = current_merchant());
CREATE POLICY worker ON link_metadata TO worker USING (true) WITH CHECK (true);
CREATE POLICY reader ON link_metadata FOR SELECT TO reader USING (true);
CREATE POLICY retention ON link_metadata FOR SELECT TO retention USING (true);
GRANT SELECT, INSERT, DELETE ON link_metadata TO web, worker;
GRANT SELECT ON link_metadata TO reader, retention;
REVOKE EXECUTE ON FUNCTION link_metadata_keep() FROM PUBLIC;
