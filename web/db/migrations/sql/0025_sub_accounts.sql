-- Sub-accounts: merchants of their own under a parent, one level deep; and how a merchant's pages look.
ALTER TABLE merchants
  ADD COLUMN parent_id text REFERENCES merchants CHECK (parent_id <> id),
  ADD COLUMN branding jsonb NOT NULL DEFAULT '{}',      -- colour, font, tone, display_name, footer
  ADD COLUMN logo bytea CHECK (length(logo) <= 32768);  -- PNG
CREATE INDEX merchants_by_parent ON merchants (parent_id, created_at DESC, id DESC) WHERE parent_id IS NOT NULL;

-- A parent sees its sub-accounts and makes them; what they have is theirs alone.
CREATE POLICY sub_accounts ON merchants FOR SELECT TO web USING (parent_id = current_merchant());
CREATE POLICY new_sub_accounts ON merchants FOR INSERT TO web WITH CHECK (parent_id = current_merchant());
GRANT INSERT (id, parent_id, name, country, settlement_currency, created_at) ON merchants TO web;
GRANT UPDATE (branding, logo) ON merchants TO web;

DROP TRIGGER audit_insert ON merchants;
DROP TRIGGER audit_update ON merchants;
DROP TRIGGER audit_delete ON merchants;
SELECT audit_table('merchants', '{name,logo}');

SELECT audit_table('saved_methods', '{gateway_saved_id,card_last4}');
SELECT audit_table('saved_method_settings', '{}', '{}', '{merchant_id,livemode}');
