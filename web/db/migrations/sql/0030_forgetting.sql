-- A gateway that does not forget a method is asked again, later each time, and keeps no other method waiting.
ALTER TABLE saved_methods
  ADD COLUMN forget_after timestamptz,
  ADD COLUMN forget_tries integer NOT NULL DEFAULT 0;
DROP INDEX saved_methods_to_forget;
CREATE INDEX saved_methods_to_forget ON saved_methods (forget_after) WHERE status = 'deleted' AND gateway_saved_id IS NOT NULL;
DROP TRIGGER audit_insert ON saved_methods;
DROP TRIGGER audit_update ON saved_methods;
DROP TRIGGER audit_delete ON saved_methods;
SELECT audit_table('saved_methods', '{gateway_saved_id,card_last4}', '{forget_after,forget_tries}');
