"""Whether an answer is whole: every state with every mark."""

from __future__ import annotations

import pytest

from direct_anyio._core.codec import Mark
from direct_anyio._core.ending import Ending, Progress
from direct_anyio.exceptions import StreamInterrupted

OPEN, FINISHED, ENDED = Progress.OPEN, Progress.FINISHED, Progress.ENDED
INFERRED, LOST = "finish_reason_inferred", "tail_lost"

# The state before, the mark, the state behind it, and the note; no state is a cut answer.
ROWS: list[tuple[Progress, Mark, Progress | None, str | None]] = [
    (OPEN, Mark.FINISHED, FINISHED, None),
    (OPEN, Mark.DONE, ENDED, INFERRED),
    (OPEN, Mark.LAST, ENDED, None),
    (OPEN, Mark.END, None, None),
    (OPEN, Mark.CUT, None, None),
    (FINISHED, Mark.FINISHED, FINISHED, None),
    (FINISHED, Mark.DONE, ENDED, None),
    (FINISHED, Mark.LAST, ENDED, None),
    (FINISHED, Mark.END, ENDED, None),
    (FINISHED, Mark.CUT, ENDED, LOST),
    (ENDED, Mark.FINISHED, ENDED, None),
    (ENDED, Mark.DONE, ENDED, None),
    (ENDED, Mark.LAST, ENDED, None),
    (ENDED, Mark.END, ENDED, None),
    (ENDED, Mark.CUT, ENDED, None),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_each_mark_in_each_state(row: tuple[Progress, Mark, Progress | None, str | None]) -> None:
    before, mark, after, note = row
    ending = Ending(progress=before)
    if after is None:
        with pytest.raises(StreamInterrupted, match="finish_reason_may_be_absent=True"):
            ending.take(mark, "m")
        assert ending.progress is before
    else:
        assert ending.take(mark, "m") == note
        assert ending.progress is after


def test_a_server_that_never_gives_a_reason() -> None:
    """The end of its body is enough; a body that broke off is not."""
    ending = Ending(finish_reason_may_be_absent=True)
    with pytest.raises(StreamInterrupted):
        ending.take(Mark.CUT, "m")
    assert ending.take(Mark.END, "m") == INFERRED
    assert ending.progress is ENDED


def test_every_pair_is_a_row() -> None:
    assert {(before, mark) for before, mark, *_ in ROWS} == {
        (before, mark) for before in (OPEN, FINISHED, ENDED) for mark in Mark
    }
