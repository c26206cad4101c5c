-- What is known of these keys; one never seen has no row. Index: the primary key.
SELECT key, state, known, since, reasons, wanted, sent, sent_body, sent_version, confirmed, confirmed_version, voided_version,
       approved
FROM publication WHERE scope = $1 AND kind = $2 AND key = ANY ($3::text[])
