"""Pages: passes."""

from fastapi import APIRouter

router = APIRouter()
