"""Sharing: the demand for data, the agreement that permits its use, the delivery, and what is harvested from others."""
