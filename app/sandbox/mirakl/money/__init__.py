"""The money of the Mirakl stand-in: its transaction log, billing cycles, documents and exports."""
