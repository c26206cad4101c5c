-- Deadlines of a channel's open orders, for gauges. Index: marketplace_order_open.
SELECT o.scope,
    count(*) FILTER (WHERE o.state IN ('STAGING', 'WAITING_ACCEPTANCE') AND o.accepted_at IS NULL) AS unaccepted,
    min(o.accept_by) FILTER (WHERE o.state = 'WAITING_ACCEPTANCE' AND o.accepted_at IS NULL) AS first_deadline,
    max(extract(epoch FROM app_now() - o.created_at) / greatest(1, extract(epoch FROM o.accept_by - o.created_at)))
        FILTER (WHERE o.state = 'WAITING_ACCEPTANCE' AND o.accepted_at IS NULL)::double precision AS used_window,
    min(o.accepted_at) FILTER (WHERE o.state IN ('WAITING_DEBIT', 'WAITING_DEBIT_PAYMENT')) AS oldest_payment_wait,
    count(*) FILTER (WHERE o.problem IS NOT NULL) AS problems,
    count(*) AS open
FROM marketplace_order AS o
WHERE o.ended_at IS NULL AND o.fulfilled_by = 'DEFAULT'
GROUP BY o.scope
