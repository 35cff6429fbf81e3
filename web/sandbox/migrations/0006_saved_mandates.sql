-- What is not a card is saved too: a mandate, which shows none of a card's marks.
ALTER TABLE saved_methods
  ADD COLUMN method text NOT NULL DEFAULT 'card',
  ALTER COLUMN brand DROP NOT NULL,
  ALTER COLUMN last4 DROP NOT NULL,
  ALTER COLUMN fingerprint DROP NOT NULL,
  ADD CHECK ((method = 'card') = (num_nulls(brand, last4, fingerprint) = 0));
