"""What docstrings of all styles tell of arguments."""

from __future__ import annotations

import pytest

from direct_anyio import ToolDefinition
from direct_anyio._docstrings import argument_descriptions, summary

DOCS: dict[str, tuple[str, dict[str, str]]] = {
    "Google": ("""Do it.

    Args:
        x: The first,
            longer.
        y (int): The second.
        *args: The rest.
        **kwargs (str, optional): More: of them.

    Returns:
        z: Nothing.
    """, {"x": "The first, longer.", "y": "The second.", "args": "The rest.",
          "kwargs": "More: of them."}),
    "Google, types with brackets and colons": ("""Do it.

    Params:
        x (dict[str, int]): One.
        y (Callable[[int], str], optional): Two.
        z (tuple(int, (str))): Three.
        w (Literal['a: b']): Four.
        `v`: Five.
    """, {"x": "One.", "y": "Two.", "z": "Three.", "w": "Four.", "v": "Five."}),
    "Google, several sections": ("""Do it.

    Args:
        x: One.

    Keyword Arguments:
        y: Two.

    Other Parameters:
        z, w: Both.

    Raises:
        q: Never.
    """, {"x": "One.", "y": "Two.", "z": "Both.", "w": "Both."}),
    "Google, several paragraphs": ("""Do it.

    Args:
        x: One.

            More of it:
                - a: this
                - b: that

        y:
            Two.
    """, {"x": "One. More of it: - a: this - b: that", "y": "Two."}),
    "Google, mixed indentation": ("""Do it.

    Arguments:
          x: One,
        flush.
        y: Two,
         a bit deeper.
\t\tz: Three.
    """, {"x": "One, flush.", "y": "Two, a bit deeper.", "z": "Three."}),
    "Google, a deeper section": ("""Do it.
    And more.

        Args:
            x: One.
            y: Two.

        Returns:
            Nothing.
    """, {"x": "One.", "y": "Two."}),
    "NumPy": ("""Do it.

    Parameters
    ----------
    x, y : int
        Both.
    z : {'a', 'b'}, optional
        Three.

        More.
    w
        Four.
    \\*args, **kwargs
        Rest.

    Other Parameters
    ----------------
    v: int
        Five: it is.

    Returns
    -------
    q : int
        Nothing.
    """, {"x": "Both.", "y": "Both.", "z": "Three. More.", "w": "Four.", "args": "Rest.",
          "kwargs": "Rest.", "v": "Five: it is."}),
    "Sphinx": ("""Do it.

    :param x: The first.
    :param str y: The second: with more,
        longer.

        And longer.
    :param dict[str, int] z: Three
    which goes on.
    :keyword w: Four.
    :kwarg int v: Five.
    :key u: Six.
    :param \\*args: Rest.
    :type x: int
    :returns: nothing

    x: no more.
    """, {"x": "The first.", "y": "The second: with more, longer. And longer.",
          "z": "Three which goes on.", "w": "Four.", "v": "Five.", "u": "Six.", "args": "Rest."}),
    "Epytext": ("""Do it.

    @param x: One.
    @keyword y: Two.
    """, {"x": "One.", "y": "Two."}),
    "Markdown": ("""Do it.
=======
    Words.
    """, {}),
    "Google, blank lines": ("""Do it.

    Args:

        x: One.

        y: Two.
    """, {"x": "One.", "y": "Two."}),
    "Google, lines of Windows": ("Do it.\r\n\r\nArgs:\r\n    x: One.\r\n", {"x": "One."}),
    "NumPy, nothing below a title": ("""Do it.

    Parameters
    ----------""", {}),
    "none": ("""Do it.

    It has words: some.
    """, {}),
}  # fmt: skip


@pytest.mark.parametrize("style", DOCS)
def test_descriptions_of_arguments(style: str) -> None:
    """Each style is read to the end of each description, and no further."""
    doc, expected = DOCS[style]
    assert argument_descriptions(doc) == expected
    assert (summary(doc) or "").startswith("Do it.")
    assert ":param" not in (summary(doc) or "")
    if expected:
        assert (summary(doc) or "").removeprefix("Do it.").strip() in ("", "And more.")


def test_a_class_tells_of_its_constructor() -> None:
    """The docstrings of a class, its bases and its constructor count, the nearest first."""

    class Base:
        """Base.

        Args:
            x: One.
            y: Two.
        """

    class Shop(Base):
        """Shop.

        Args:
            y: Another.
        """

        def __init__(self, x: int, y: int, z: int) -> None:  # noqa: D417
            """Make it.

            Args:
                z: Three.
            """

    properties = ToolDefinition.from_callable(Shop).parameters_json_schema["properties"]
    assert [each["description"] for each in properties.values()] == ["One.", "Another.", "Three."]
