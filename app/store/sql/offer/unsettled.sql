-- Whether anything about stock is still on its way: an import in flight, or a key that is due or being worked.
SELECT EXISTS (SELECT 1 FROM import WHERE state IN ('sent', 'running'))
       OR EXISTS (SELECT 1 FROM outbox WHERE flow IN ('stock', 'sizes') AND due_at IS NOT NULL)
