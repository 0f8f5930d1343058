"""Opening for machines."""

from fastapi import APIRouter

router = APIRouter(tags=["opening"])
