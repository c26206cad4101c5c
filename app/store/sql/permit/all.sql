-- Every bucket with what is left of it now; for metrics and status.
SELECT scope, name, capacity, refill_per_second, grants, closed_until,
       least(capacity, tokens + refill_per_second
             * greatest(0, extract(epoch FROM app_now() - refreshed_at))::double precision) AS tokens
FROM permit
ORDER BY scope, name
