-- The last whole run of each channel and kind.
SELECT scope, kind, began_at, ended_at, as_of, compared, differing, on_its_way FROM parity_run ORDER BY scope, kind
