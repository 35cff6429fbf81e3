-- Whom a gateway's message was about shows once it is processed: from then on erasure finds it. And merchants that have left.

ALTER TABLE gateway_webhooks ADD COLUMN object_id text;  -- the attempt or refund that it told of; NULL until processed
CREATE INDEX gateway_webhooks_by_object ON gateway_webhooks (object_id) WHERE object_id IS NOT NULL;

ALTER TABLE merchants
  ADD COLUMN closed_at timestamptz,                       -- the relationship ended; its keys are revoked
  ADD COLUMN erased_at timestamptz,                       -- retention took its name, keys and users away
  ADD CHECK (erased_at IS NULL OR closed_at IS NOT NULL);

-- What goes with a merchant that left: who worked there, its keys, its name. Its id stays: the books refer to it.
CREATE POLICY retention_forgets ON api_keys FOR DELETE TO retention
  USING (EXISTS (SELECT FROM merchants AS m WHERE m.id = merchant_id AND m.closed_at IS NOT NULL));
GRANT DELETE ON api_keys, console_users, console_sessions, console_sign_in_failures TO retention;
GRANT UPDATE (name, erased_at) ON merchants TO retention;
GRANT MAINTAIN ON merchants, api_keys, console_users, console_sessions, console_sign_in_failures TO retention;
