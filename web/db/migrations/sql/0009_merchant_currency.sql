-- The currency that a merchant is paid out in, as it declares; NULL for merchants of before, who are paid out in the
-- region's first. Provisioning tells of it in an event, so `owner` may append for the merchant that it makes.
ALTER TABLE merchants ADD COLUMN settlement_currency text CHECK (settlement_currency ~ '^[A-Z]{3}$');
CREATE POLICY provisioning ON outbox FOR INSERT TO owner WITH CHECK (true);
CREATE POLICY provisioning ON object_sequences TO owner USING (true) WITH CHECK (true);
