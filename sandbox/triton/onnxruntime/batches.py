"""Putting the requests of a dynamic batch into few runs, and cutting the answers apart again."""

import numpy as np


def groups(requests: list[dict[str, np.ndarray]], batching: bool) -> list[list[int]]:
    """The requests (by index) that can run together: all tensors alike but for the first dimension."""
    if not batching:
        return [[index] for index in range(len(requests))]
    alike: dict[tuple, list[int]] = {}
    for index, tensors in enumerate(requests):
        key = tuple(sorted((name, array.dtype.str, array.shape[1:]) for name, array in tensors.items()))
        alike.setdefault(key, []).append(index)
    return list(alike.values())


def joined(requests: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """One set of tensors for all."""
    if len(requests) == 1:
        return requests[0]
    return {name: np.concatenate([tensors[name] for tensors in requests]) for name in requests[0]}


def split(answer: list[np.ndarray], rows: list[int]) -> list[list[np.ndarray]]:
    """Each request's part of every output; `rows` says how many rows each brought."""
    if len(rows) == 1:
        return [answer]
    ends = np.cumsum(rows)
    for array in answer:
        if array.shape[:1] != (ends[-1],):
            raise ValueError(f"{ends[-1]} rows went in, the answer has shape {list(array.shape)}: it cannot be cut apart")
    return [[array[end - count : end] for array in answer] for count, end in zip(rows, ends)]
