-- The reference that the payer was shown with the mandate, where its scheme has one. A renewal is charged under it.
ALTER TABLE saved_methods ADD COLUMN mandate_reference text CHECK (length(mandate_reference) BETWEEN 1 AND 35);
