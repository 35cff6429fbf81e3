-- Lists of expired links read what they show. A link whose end was told is found in the order of the list; one whose end came just now, by
-- the moment that is due, which the worker looks at too. The moment is an expression so that there are statistics of it alone: links that
-- are due are few, whatever share of all links has expired. Neither index is touched by a new link that does not end by itself.
DROP INDEX links_to_expire;
CREATE INDEX links_due ON links ((CASE WHEN status = 'active' AND expired_at IS NULL THEN expires_at END))
 WHERE (CASE WHEN status = 'active' AND expired_at IS NULL THEN expires_at END) IS NOT NULL;
CREATE INDEX links_expired ON links (merchant_id, livemode, created_at, id) WHERE status = 'active' AND expired_at IS NOT NULL;
ANALYZE links;
