-- W3C trace context of the span in which a key was first marked since its last claim; the pass that works it goes on from
-- there. NULL while tracing is off; in no index.
ALTER TABLE outbox ADD COLUMN trace text;
