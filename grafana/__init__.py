"""Dashboards as code, for Grafana 11.6; `python -m grafana.generate` writes them. Not a part of the service."""
