-- A kind was compared to the end. Index: the primary key.
INSERT INTO parity_run AS r (scope, kind, began_at, ended_at, as_of, compared, differing, on_its_way)
VALUES ($1, $2, $3, app_now(), $4, $5, $6, $7)
ON CONFLICT (scope, kind) DO UPDATE SET
    began_at = excluded.began_at, ended_at = excluded.ended_at, as_of = excluded.as_of, compared = excluded.compared,
    differing = excluded.differing, on_its_way = excluded.on_its_way
