"""Readers: each turns one kind of outside file into chunks of raw text columns, within stated limits."""
