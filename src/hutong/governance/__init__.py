"""Emergencies and their end, parties and the trust list, accounts: who may act here, and under which declared event."""
