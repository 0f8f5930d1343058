"""Column-wise work on distinct values: a Python function runs once per distinct value, not once per row."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Indices = npt.NDArray[np.int64]
Cells = tuple[str | None, ...]


class Columns:
    """The raw text columns of one chunk, each dictionary-encoded at most once."""

    def __init__(self, data: pa.Table) -> None:
        self._data = data
        self._encoded: dict[str, tuple[list[str | None], Indices]] = {}

    @property
    def num_rows(self) -> int:
        return int(self._data.num_rows)

    def distinct(self, columns: tuple[str, ...]) -> tuple[list[Cells], Indices]:
        """The distinct tuples of these columns, and for every row the index of its tuple."""
        if not columns:
            return [()], np.zeros(self.num_rows, dtype=np.int64)
        values, indices = self._one(columns[0])
        tuples: list[Cells] = [(value,) for value in values]
        for column in columns[1:]:
            more, more_indices = self._one(column)
            combined = indices * len(more) + more_indices
            kept, indices = np.unique(combined, return_inverse=True)
            tuples = [(*tuples[at // len(more)], more[at % len(more)]) for at in kept.tolist()]
        return tuples, indices

    def cells(self, column: str, rows: Indices) -> list[str | None]:
        """Raw text of some rows of a column."""
        taken: list[str | None] = self._data.column(column).take(pa.array(rows)).to_pylist()
        return taken

    def _one(self, column: str) -> tuple[list[str | None], Indices]:
        if column not in self._encoded:
            array = self._data.column(column)
            encoded = pa.compute.dictionary_encode(array, null_encoding="encode").combine_chunks()
            if isinstance(encoded, pa.ChunkedArray):
                encoded = encoded.chunk(0) if encoded.num_chunks else pa.array([], pa.string()).dictionary_encode()
            indices = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
            self._encoded[column] = (encoded.dictionary.to_pylist(), indices)
        return self._encoded[column]


def spread(values: list[Any], indices: Indices, arrow_type: Any) -> Any:
    """Values of distinct tuples laid out row by row as an Arrow array."""
    return pa.array(values, arrow_type).take(pa.array(indices))
