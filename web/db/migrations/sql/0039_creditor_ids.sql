-- The creditor identifier that the payer was shown with the mandate, where its scheme has one. It is agreed to with the
-- reference: a region that later collects under another one may not put it on mandates that name this one.
ALTER TABLE saved_methods ADD COLUMN mandate_creditor_id text CHECK (length(mandate_creditor_id) BETWEEN 8 AND 35);
ALTER TABLE renewals ADD COLUMN mandate_creditor_id text CHECK (length(mandate_creditor_id) BETWEEN 8 AND 35);
