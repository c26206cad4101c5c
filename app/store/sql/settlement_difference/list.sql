-- Differences of a channel (or all), of a kind, cycle or order where they are named, in the states $5: the largest first
-- within each kind. Index: settlement_difference_live, unless closed ones are asked for.
SELECT * FROM settlement_difference
WHERE ($1::text IS NULL OR scope = $1) AND ($2::text IS NULL OR kind = $2) AND ($3::text IS NULL OR cycle = $3)
    AND ($4::text IS NULL OR order_id = $4) AND state = ANY ($5::text[])
ORDER BY scope, kind, at_stake DESC, number
