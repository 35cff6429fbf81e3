-- Bulk work: a file of links, or a change of a whole campaign, done by the worker chunk by chunk. A chunk's rows, their events and
-- its result are one transaction, so a job that is interrupted goes on where it was.
CREATE TABLE bulk_jobs (
  id              text PRIMARY KEY,                       -- bulk_eu_…
  merchant_id     text NOT NULL REFERENCES merchants,
  livemode        boolean NOT NULL,
  kind            text NOT NULL CHECK (kind IN ('create_links', 'expire_campaign', 'deactivate_campaign')),
  campaign        text,                                   -- of a change of a campaign
  expires_at      timestamptz,                            -- of expire_campaign
  status          text NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'running', 'done')),
  row_count       integer NOT NULL CHECK (row_count >= 0),
  succeeded_count integer NOT NULL DEFAULT 0,
  failed_count    integer NOT NULL DEFAULT 0,
  request_id      text NOT NULL,                          -- the events' correlation id
  created_at      timestamptz NOT NULL,
  touched_at      timestamptz NOT NULL,                   -- the least recently touched job is next
  finished_at     timestamptz,
  CHECK ((kind = 'create_links') = (campaign IS NULL)),
  CHECK (succeeded_count + failed_count <= row_count)
);
CREATE INDEX bulk_jobs_by_merchant ON bulk_jobs (merchant_id, livemode, created_at DESC, id DESC);
CREATE INDEX bulk_jobs_open ON bulk_jobs (touched_at) WHERE status <> 'done';
CREATE INDEX bulk_jobs_done ON bulk_jobs (finished_at) WHERE status = 'done';

CREATE TABLE bulk_chunks (
  job_id      text NOT NULL REFERENCES bulk_jobs ON DELETE CASCADE,
  number      integer NOT NULL CHECK (number >= 0),
  merchant_id text NOT NULL REFERENCES merchants,
  first_row   integer NOT NULL CHECK (first_row >= 1),
  rows        bytea,                                      -- gzip of JSON Lines; NULL once done
  result      bytea,                                      -- gzip of JSON Lines, one line a row; NULL until done
  PRIMARY KEY (job_id, number)
);

DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['bulk_jobs', 'bulk_chunks'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I TO web USING (merchant_id = current_merchant()) WITH CHECK (merchant_id = current_merchant())', t);
    EXECUTE format('CREATE POLICY worker ON %I TO worker USING (true) WITH CHECK (true)', t);
  END LOOP;
END $$;
GRANT SELECT, INSERT ON bulk_jobs, bulk_chunks TO web;
GRANT SELECT, UPDATE, DELETE ON bulk_jobs, bulk_chunks TO worker;
GRANT INSERT ON idempotency_keys TO worker;              -- rows of a file may carry a key each

-- append_event for objects that this transaction has just made: nobody else knows them, so each one's sequence is 1.
CREATE FUNCTION append_first_events(
  p_type text, p_family text, p_merchant_id text, p_livemode boolean, p_schema_version smallint, p_correlation_id text,
  p_subjects text[], p_data jsonb[]
) RETURNS bigint LANGUAGE sql AS $$
  WITH sequenced AS (
    INSERT INTO object_sequences (object_id, merchant_id, sequence)
    SELECT subject, p_merchant_id, 1 FROM unnest(p_subjects) AS subject RETURNING object_id
  ), appended AS (
    INSERT INTO outbox (id, type, family, subject, sequence, merchant_id, livemode, time, schema_version, correlation_id, data)
    SELECT uuidv7(), p_type, p_family, object_id, 1, p_merchant_id, p_livemode, clock_timestamp(), p_schema_version,
           p_correlation_id, given.data
      FROM sequenced JOIN unnest(p_subjects, p_data) AS given (subject, data) ON given.subject = sequenced.object_id
    RETURNING 1
  ) SELECT count(*) FROM appended
$$;
REVOKE EXECUTE ON FUNCTION append_first_events(text, text, text, boolean, smallint, text, text[], jsonb[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION append_first_events(text, text, text, boolean, smallint, text, text[], jsonb[]) TO worker;
