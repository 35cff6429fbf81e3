-- Verification of an erasure searches every table of the map: bulk jobs may hold what a merchant's file said.
CREATE POLICY retention ON bulk_jobs FOR SELECT TO retention USING (true);
CREATE POLICY retention ON bulk_chunks FOR SELECT TO retention USING (true);
GRANT SELECT ON bulk_jobs, bulk_chunks TO retention;
