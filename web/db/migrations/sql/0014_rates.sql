-- How much of its allowance a key or a network address has left, shared by all processes. Nothing here is worth a WAL record: after a
-- crash everybody starts with a full allowance. A bucket's name is a keyed hash; the worker drops those that are full again.
CREATE UNLOGGED TABLE rate_buckets (
  bucket  bytea PRIMARY KEY CHECK (length(bucket) = 16),
  per_second double precision NOT NULL,
  burst   double precision NOT NULL,
  level   double precision NOT NULL,                   -- what was left at that moment; it refills by the second
  granted integer NOT NULL,                            -- what the last asker got of it
  at      timestamptz NOT NULL
) WITH (fillfactor = 50);
GRANT SELECT, INSERT, UPDATE ON rate_buckets TO web;
GRANT SELECT, DELETE, UPDATE (at) ON rate_buckets TO worker; -- what FOR UPDATE asks for
