"""centra-mirakl: joins a Centra shop to Mirakl marketplaces. Start reading at `supervisor.py`, then `flows/`."""
