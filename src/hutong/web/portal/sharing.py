"""Pages: sharing."""

from fastapi import APIRouter

router = APIRouter()
