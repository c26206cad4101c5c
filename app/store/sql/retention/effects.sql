-- Effects that were decided over $1 days ago and that no import refers to. One that is open or held stays for ever.
DELETE FROM effect AS e
WHERE e.decided_at < app_now() - $1::integer * interval '1 day' AND e.state IN ('applied', 'refused', 'not_applied')
  AND NOT EXISTS (SELECT 1 FROM import AS i WHERE i.effect_id = e.id)
