"""Acquisition for machines."""

from fastapi import APIRouter

router = APIRouter(tags=["acquisition"])
