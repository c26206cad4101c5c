-- What our own figures of a channel are counted from, over the orders created since $2, in one pass. Indexes:
-- marketplace_order_created, then by order intent_order and line_incident's primary key; runs once an hour.
SELECT orders, decided, not_accepted, answered, acceptance_seconds, due, late, told, untracked, accepted, cancelled, troubled,
    refunded,
    -- Of the orders that lapsed, those after the last one that was answered.
    (SELECT count(*) FROM unnest(lapsed_at) AS at WHERE at > coalesce(last_answer_at, '-infinity')) AS lapsed
FROM (
    SELECT count(*) FILTER (WHERE place = 1 AND verdict IS NOT NULL) AS orders,
        count(verdict) AS decided,
        count(*) FILTER (WHERE verdict <> 'accepted') AS not_accepted,
        count(acceptance_seconds) AS answered,
        coalesce(sum(acceptance_seconds), 0) AS acceptance_seconds,
        count(late_seconds) AS due,
        count(*) FILTER (WHERE late_seconds > 0) AS late,
        count(tracked) AS told,
        count(*) FILTER (WHERE NOT tracked) AS untracked,
        count(*) FILTER (WHERE verdict = 'accepted') AS accepted,
        count(*) FILTER (WHERE verdict = 'accepted' AND cancelled) AS cancelled,
        count(*) FILTER (WHERE verdict = 'accepted' AND troubled) AS troubled,
        count(*) FILTER (WHERE verdict = 'accepted' AND refunded) AS refunded,
        array_agg(left_at) FILTER (WHERE place = 1 AND verdict = 'lapsed') AS lapsed_at,
        max(left_at) FILTER (WHERE place = 1 AND verdict <> 'lapsed') AS last_answer_at
    FROM rated_line
    WHERE scope = $1 AND created_at >= $2
) AS rated
