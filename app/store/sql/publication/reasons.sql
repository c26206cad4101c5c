-- The first reasons of what is held or rejected, the eight most frequent of each channel and kind; what they quote and count,
-- and where it is mended, is left out, so that equal faults are one. Index: publication_open.
SELECT scope, kind, state, reason, keys FROM (
    SELECT p.scope, p.kind, p.state, r.reason, count(*) AS keys,
           row_number() OVER (PARTITION BY p.scope, p.kind, p.state ORDER BY count(*) DESC, r.reason) AS place
    FROM publication AS p
    CROSS JOIN LATERAL (SELECT left(regexp_replace(regexp_replace(split_part(coalesce(p.reasons->>0, 'no reason was given'), chr(59) || ' ', 1),
        '(^|[ (])(''[^'']*''|"[^"]*")', '\1…', 'g'), '[0-9]+([.,][0-9]+)?', 'N', 'g'), 80) AS reason) AS r
    WHERE p.state IN ('held', 'rejected')
    GROUP BY p.scope, p.kind, p.state, r.reason
) AS counted
WHERE place <= 8
