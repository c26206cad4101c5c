"""What the flows after the sale share: an order's turn, money given back once, a return made in Centra once."""
