"""Pages: log."""

from fastapi import APIRouter

router = APIRouter()
