-- Make sure that a bucket exists with these figures; a live one keeps the share of it that is left.
INSERT INTO permit AS p (scope, name, capacity, refill_per_second, tokens, refreshed_at)
VALUES ($1, $2, $3, $4, $3, app_now())
ON CONFLICT (scope, name) DO UPDATE SET
    capacity = excluded.capacity, refill_per_second = excluded.refill_per_second,
    tokens = p.tokens * excluded.capacity / p.capacity
WHERE p.capacity <> excluded.capacity OR p.refill_per_second <> excluded.refill_per_second
