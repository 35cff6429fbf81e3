-- Lists that filter read what they show, however rare that is. Without the mode, a merchant's few live links of a campaign were looked for
-- among all its test links; links that have ended were looked for among all that have not.
DROP INDEX links_by_reference;
DROP INDEX links_by_campaign;
CREATE INDEX links_by_reference ON links (merchant_id, livemode, reference, created_at DESC, id DESC);
CREATE INDEX links_by_campaign ON links (merchant_id, livemode, campaign, created_at DESC, id DESC) WHERE campaign IS NOT NULL;
CREATE INDEX links_ended ON links (merchant_id, livemode, status, created_at DESC, id DESC) WHERE status <> 'active';
