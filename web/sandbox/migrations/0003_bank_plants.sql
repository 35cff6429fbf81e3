-- Errors that the simulated bank is asked to make in a day's statement. Everything else of a statement follows from the batches.

CREATE TABLE bank_plants (
  account        text NOT NULL,
  statement_date date NOT NULL,
  plants         jsonb NOT NULL,
  PRIMARY KEY (account, statement_date)
);
