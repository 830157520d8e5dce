"""Whether an answer is whole: one state, and what each mark does to it.

A response is OPEN until its provider gives a finish reason, and FINISHED from then on: more
may follow, and belongs to the answer. Nothing more is read once it is ENDED, and it is CLOSED
when its last events have been made. What the table does not list is an answer that was cut
short.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from attrs import define

from ..exceptions import StreamInterrupted
from .codec import Mark

__all__ = ("Ending", "Progress")


class Progress(Enum):
    """How far a response is."""

    OPEN = auto()
    FINISHED = auto()
    ENDED = auto()
    CLOSED = auto()


_INFERRED = "finish_reason_inferred"

# From each state and mark to the next state, and the note of it that the response keeps.
_NEXT: Final[dict[Progress, dict[Mark, tuple[Progress, str | None]]]] = {
    Progress.OPEN: {
        Mark.FINISHED: (Progress.FINISHED, None),
        Mark.DONE: (Progress.ENDED, _INFERRED),
        Mark.LAST: (Progress.ENDED, None),
    },
    Progress.FINISHED: {
        Mark.FINISHED: (Progress.FINISHED, None),
        Mark.DONE: (Progress.ENDED, None),
        Mark.LAST: (Progress.ENDED, None),
        Mark.END: (Progress.ENDED, None),
        Mark.CUT: (Progress.ENDED, "tail_lost"),
    },
    Progress.ENDED: dict.fromkeys(Mark, (Progress.ENDED, None)),
}


@define(eq=False)
class Ending:
    """How far one response is.

    Args:
        finish_reason_may_be_absent: Whether the end of the body ends an answer for which no
            finish reason came.

    Attributes:
        progress: The state.
    """

    finish_reason_may_be_absent: bool = False
    progress: Progress = Progress.OPEN

    def take(self, mark: Mark, model_name: str) -> str | None:
        """Go to the next state.

        Args:
            mark: What came, or what happened.
            model_name: The model, for the error.

        Returns:
            A note for the response, None where there is nothing to note.

        Raises:
            StreamInterrupted: The answer was cut short.
        """
        following = _NEXT[self.progress].get(mark)
        if following is None and mark is Mark.END and self.finish_reason_may_be_absent:
            following = (Progress.ENDED, _INFERRED)
        if following is None:
            raise StreamInterrupted(model_name, _CUT_SHORT)
        self.progress, note = following
        return note


_CUT_SHORT = (
    "The stream ended before the answer did: what came may be cut short. `response` holds it. "
    "If this server never gives a finish reason, set `finish_reason_may_be_absent=True` in the "
    "model's profile."
)
