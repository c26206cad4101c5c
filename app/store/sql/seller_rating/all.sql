-- Every figure of every channel: a few rows each. For gauges and people.
SELECT scope, measure, source, value, span, orders, told_at FROM seller_rating
