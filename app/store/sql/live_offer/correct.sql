-- What is confirmed for these keys is not what is live: send it again, but at most once a day. Index: the primary key.
UPDATE publication SET
    voided_version = greatest(voided_version, confirmed_version, sent_version), corrected_at = app_now()
WHERE scope = $1 AND kind = $2 AND key = ANY ($3::text[])
  AND (corrected_at IS NULL OR corrected_at <= app_now() - interval '1 day')
RETURNING key
