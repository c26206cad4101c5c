-- When the newest document was issued. Index: accounting_document_issued.
SELECT max(issued_at) FROM accounting_document WHERE scope = $1
