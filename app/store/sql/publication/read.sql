-- What is known of these keys; one never seen has no row. Index: the primary key.
SELECT p.key, p.state, p.known, p.since, p.reasons, p.wanted, p.sent, p.sent_body, p.sent_version, p.confirmed,
       p.confirmed_version, p.voided_version, p.approved
FROM (SELECT $1::text AS scope, $2::text AS kind, t.key FROM unnest($3::text[]) AS t (key) OFFSET 0) AS s
JOIN publication AS p ON p.scope = ANY (ARRAY[s.scope]) AND p.kind = s.kind AND p.key = s.key
