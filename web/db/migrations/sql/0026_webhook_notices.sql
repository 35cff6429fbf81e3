-- An endpoint that was disabled for its merchant is told of, once: the worker appends the event.
ALTER TABLE webhook_endpoints ADD COLUMN told_at timestamptz; -- of the last time that it was disabled
CREATE INDEX webhook_endpoints_to_tell ON webhook_endpoints (disabled_at) WHERE status = 'disabled' AND disabled_reason <> 'merchant';
CREATE POLICY worker ON webhook_endpoints TO worker USING (true) WITH CHECK (true);
GRANT SELECT, UPDATE (told_at) ON webhook_endpoints TO worker;
