-- Differences that open, or are other ones than before, with the audit's rows. Index: the primary key.
WITH written AS (
    INSERT INTO settlement_difference AS d (scope, key, subject, kind, state, currency, expected, told, at_stake, places, words,
        cycle, order_id, line_id, note, opened_at, changed_at)
    SELECT $1, t.key, t.subject, t.kind, t.state, t.currency, t.expected, t.told, t.at_stake, t.places, t.words, t.cycle,
        t.order_id, t.line_id, t.note, app_now(), app_now()
    FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::bigint[], $10::bigint[],
            $11::smallint[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[])
        AS t (key, subject, kind, state, currency, expected, told, at_stake, places, words, cycle, order_id, line_id,
            note)
    ON CONFLICT (scope, key) DO UPDATE SET
        subject = excluded.subject, kind = excluded.kind, was = d.state, state = excluded.state, currency = excluded.currency,
        expected = excluded.expected, told = excluded.told, at_stake = excluded.at_stake, places = excluded.places, words = excluded.words,
        cycle = excluded.cycle, order_id = excluded.order_id, line_id = excluded.line_id, note = excluded.note,
        decided_by = NULL, decided_at = NULL, changed_at = excluded.changed_at, closed_at = NULL,
        opened_at = CASE WHEN d.state = 'closed' THEN excluded.opened_at ELSE d.opened_at END
    RETURNING number, was, state, words, note
)
INSERT INTO audit (at, scope, actor, subject, from_state, to_state, detail)
SELECT app_now(), $1, $2, 'difference:' || number, was, state, words || coalesce(': ' || note, '') FROM written
