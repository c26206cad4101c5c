-- One difference by its number. Index: settlement_difference_number_key.
SELECT * FROM settlement_difference WHERE number = $1
