"""Pages: home."""

from fastapi import APIRouter

router = APIRouter()
