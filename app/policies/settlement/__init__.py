"""What a marketplace owes, as decisions of values: by order, refund and billing cycle, for the month and the books."""
