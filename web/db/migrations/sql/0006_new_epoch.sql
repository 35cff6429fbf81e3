-- After a database was restored its relay may not number on as if nothing had happened: what it sent after the backup has the
-- same positions. A new epoch stands above all of them. Events that the backup knows but its cursor does not, and that are in the lake
-- already (`p_sent`), are not sent again: transaction 3 is the oldest there is, and every snapshot sees it.
--
-- Transaction ids mean something in their own cluster only. When the rows were loaded into another one (pg_restore), all are told anew:
-- what was sent is transaction 3, what was not is this very transaction, and the batches of before cannot be named any more.
CREATE FUNCTION relay_new_epoch(p_sent uuid[], OUT epoch integer, OUT skipped bigint, OUT is_other_cluster boolean)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  held relay_cursor;
BEGIN
  PERFORM set_config('meridian.outbox_maintenance', 'on', true);
  SELECT * INTO held FROM relay_cursor FOR UPDATE;
  is_other_cluster := pg_snapshot_xmax(held.snapshot) > pg_current_xact_id()
    OR EXISTS (SELECT FROM outbox AS o WHERE o.xid > pg_snapshot_xmax(pg_current_snapshot()));
  UPDATE outbox AS o SET xid = '3' WHERE o.id = ANY (p_sent) AND NOT pg_visible_in_snapshot(o.xid, held.snapshot);
  GET DIAGNOSTICS skipped = ROW_COUNT;
  IF is_other_cluster THEN
    UPDATE outbox AS o SET xid = CASE WHEN pg_visible_in_snapshot(o.xid, held.snapshot) THEN '3'::xid8 ELSE pg_current_xact_id() END
     WHERE o.xid <> '3';
    DELETE FROM relay_batches;
    held.snapshot := pg_current_snapshot();
  END IF;
  UPDATE relay_cursor AS c SET epoch = held.epoch + 1, snapshot = held.snapshot, next_snapshot = NULL, updated_at = now()
    RETURNING c.epoch INTO relay_new_epoch.epoch;
  PERFORM set_config('meridian.outbox_maintenance', '', true);
END $$;
REVOKE EXECUTE ON FUNCTION relay_new_epoch(uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION relay_new_epoch(uuid[]) TO relay;
