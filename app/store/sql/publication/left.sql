-- Offers but these ($3) that left within the last seconds ($2), or wait for a person before they are deleted.
-- Index: publication_open.
SELECT count(*) FROM publication
WHERE scope = $1 AND kind = 'offers' AND state IN ('gone', 'held') AND key <> ALL ($3::text[])
  AND CASE state WHEN 'gone' THEN since > app_now() - make_interval(secs => $2) ELSE body ? 'deleted' END
