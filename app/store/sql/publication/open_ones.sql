-- What is not live, or what stands in one way ($3), longest first. Index: publication_open.
SELECT key, state, known, since, reasons, wanted, sent, sent_body, sent_version, confirmed, confirmed_version, voided_version,
       approved
FROM publication
WHERE scope = $1 AND kind = $2 AND CASE WHEN $3::text IS NULL THEN state <> 'live' ELSE state = $3 END
ORDER BY since, key LIMIT $4
