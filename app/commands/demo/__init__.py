"""The demo: its acts, each a module with an ACT at its foot, and what plays them."""
