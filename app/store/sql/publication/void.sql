-- What is confirmed for these keys is no longer believed: send again even if nothing changes. Mark them too.
-- Index: the primary key.
UPDATE publication SET voided_version = greatest(voided_version, confirmed_version, sent_version)
WHERE scope = $1 AND kind = $2 AND key = ANY ($3::text[])
