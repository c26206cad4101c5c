-- Documents by their numbers. Index: accounting_document_number.
SELECT * FROM accounting_document WHERE scope = $1 AND number = ANY ($2::text[]) ORDER BY document_id
