-- Tell other replicas that keys were marked: a wish, sent after commit and never relied on.
SELECT pg_notify('outbox', w) FROM unnest($1::text[]) AS w
