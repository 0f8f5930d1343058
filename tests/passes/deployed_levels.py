"""Eight level lists of deployed health codes, as crosswalks: the same 1 means green, red, abnormal or low.

Codes and meanings are those found in code or vendor documentation. Entries run from the least to the most severe.
"""

from __future__ import annotations

from typing import Any

_MEANING = {"low": "低风险", "medium": "中风险", "high": "高风险", "unknown": "未知"}

LISTS: dict[str, dict[str, str]] = {
    "alipay": {"green": "low", "yellow": "medium", "red": "high", "init": "unknown"},
    "aliyun-iot": {
        **{"1": "low", "2": "medium", "3": "high"},
        **{"4": "unknown", "5": "unknown", "6": "unknown", "7": "unknown"},
    },
    "wecom": {"0": "low", "1": "high", "2": "unknown"},
    "dahua-gate": {"2": "low", "3": "medium", "1": "high", "0": "unknown", "4": "unknown"},
    "glodon-site": {"1": "low", "2": "medium", "0": "high"},
    "d-nas": {"1": "low", "2": "medium", "3": "high", "0": "unknown", "4": "unknown"},
    "huawei-ocr": {"green": "low", "yellow": "medium", "red": "high", "gray": "unknown"},
    "hubei": {"00": "low", "01": "medium", "10": "high"},
}


def crosswalk_document(name: str) -> dict[str, Any]:
    """One list as a crosswalk document of version 1."""
    return {
        "id": f"{name}-crosswalk",
        "version": "1.0.0",
        "rulebook": name,
        "major": 1,
        "valid_from": "2020-02-01T00:00:00+08:00",
        "valid_to": "2022-12-31T00:00:00+08:00",
        "levels": [
            {
                "code": code,
                "scale": scale,
                "reasons": ["administrative" if scale == "unknown" else "clinical"],
                "meaning": {"en": scale, "zh": _MEANING[scale]},
            }
            for code, scale in LISTS[name].items()
        ],
    }
