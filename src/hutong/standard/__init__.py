"""The data standard: declared once in the files beside this module; everything else derives from it."""

from hutong.standard.derive import arrow_schema, csv_header, json_schema
from hutong.standard.element import Code, CodeList, Element, Sensitivity, Standard, Table
from hutong.standard.loader import load

__all__ = [
    "Code",
    "CodeList",
    "Element",
    "Sensitivity",
    "Standard",
    "Table",
    "arrow_schema",
    "csv_header",
    "json_schema",
    "load",
]
