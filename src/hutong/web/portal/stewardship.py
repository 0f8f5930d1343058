"""Pages: stewardship."""

from fastapi import APIRouter

router = APIRouter()
