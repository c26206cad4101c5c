-- The next keys of a channel, in order. Index: the primary key.
SELECT key, state, since, reasons, wanted, sent, sent_body, sent_version, confirmed, confirmed_version, voided_version,
       approved
FROM publication WHERE scope = $1 AND kind = $2 AND key > $3 ORDER BY key LIMIT $4
