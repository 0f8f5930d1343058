"""Levels: the status of each person in the population, decided from the facts in the lake."""
