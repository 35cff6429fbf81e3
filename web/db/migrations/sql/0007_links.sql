-- Links beyond a fixed price. `terms` is JSON as web/links/terms.py describes it: line items, bounds of an amount that the payer
-- chooses, prices in more currencies, questions, branding. What is searched, counted or locked has a column.
ALTER TABLE links
  ALTER COLUMN amount_minor DROP NOT NULL,                -- NULL: the payer chooses
  ADD COLUMN max_payments integer CHECK (max_payments BETWEEN 1 AND 1000000),
  ADD COLUMN terms jsonb NOT NULL DEFAULT '{}',
  ADD COLUMN regenerated_from text REFERENCES links,
  ADD COLUMN expired_at timestamptz,                      -- when its expiry was announced
  DROP CONSTRAINT links_usage_check,
  ADD CONSTRAINT links_usage_check CHECK (usage IN ('single', 'multi', 'limited')),
  ADD CONSTRAINT links_max_payments_with_limited CHECK ((usage = 'limited') = (max_payments IS NOT NULL)),
  ADD CONSTRAINT links_have_a_price CHECK (amount_minor IS NOT NULL OR terms -> 'customer_amount' IS NOT NULL);

CREATE INDEX links_to_expire ON links (expires_at) WHERE status = 'active' AND expired_at IS NULL AND expires_at IS NOT NULL;
CREATE INDEX links_by_reference ON links (merchant_id, reference, created_at DESC, id DESC);
CREATE INDEX links_by_campaign ON links (merchant_id, campaign, created_at DESC, id DESC) WHERE campaign IS NOT NULL;

-- What the payer chose when the session opened: lines with quantities, frozen with the price.
ALTER TABLE checkout_sessions ADD COLUMN terms jsonb NOT NULL DEFAULT '{}';
