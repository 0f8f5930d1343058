"""Distributed collection: exposure keys in the formats of the Exposure Notification system (Apple and Google, 2020)."""
