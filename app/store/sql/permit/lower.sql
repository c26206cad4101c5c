-- The platform says that less is left than we believe (somebody else uses the same allowance). Index: the primary key.
UPDATE permit SET
    tokens = least($3, capacity, tokens + refill_per_second
                   * greatest(0, extract(epoch FROM app_now() - refreshed_at))::double precision),
    refreshed_at = greatest(refreshed_at, app_now())
WHERE scope = $1 AND name = $2
