"""What a report shows besides claims: a section for each stored thing, made of paragraphs, tables and drawings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree import ElementTree

__all__ = ["Drawing", "Listing", "Paragraph", "Section", "inline"]


@dataclass(frozen=True)
class Paragraph:
    """Words, without markup."""

    text: str
    kind: str = "paragraph"


@dataclass(frozen=True)
class Listing:
    """A table.

    Parameters
    ----------
    header : tuple of str
        Empty where the first column names what the others hold.
    rows : tuple of tuple of str
    right : tuple of bool
        Which columns hold numbers.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: tuple[bool, ...]
    kind: str = "listing"


@dataclass(frozen=True)
class Drawing:
    """A figure.

    Parameters
    ----------
    svg : bytes
        As `verification.plots.render` gives it.
    title : str
        What it shows, for who cannot see it.
    """

    svg: bytes
    title: str
    kind: str = "drawing"


@dataclass(frozen=True)
class Section:
    """One stored thing.

    Parameters
    ----------
    title : str
    blocks : tuple of Paragraph, Listing or Drawing
    """

    title: str
    blocks: tuple[Paragraph | Listing | Drawing, ...]


_XLINK = "{http://www.w3.org/1999/xlink}href"
_LOCAL = re.compile(r"url\(#([^)]+)\)")


def inline(svg: bytes, prefix: str, title: str) -> str:
    """A file of SVG as an element of HTML.

    Identifiers that nothing refers to are dropped and the others get the prefix, as those of two figures collide;
    so are metadata, the size in points (the page decides), and the style sheet, which would hold for all of the page.

    Parameters
    ----------
    svg : bytes
        Drawn by matplotlib.
    prefix : str
        Unique in the page.
    title : str

    Returns
    -------
    str

    Examples
    --------
    >>> inline(b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><g id="a"/></svg>', "f1", "A dot.")
    '<svg viewBox="0 0 1 1" role="img" aria-labelledby="f1-title"><title id="f1-title">A dot.</title><g /></svg>'
    """
    root = ElementTree.fromstring(svg)
    look = ""
    for parent in list(root.iter()):
        for child in list(parent):
            name = child.tag.rpartition("}")[2]
            if name in ("metadata", "style"):
                look += "".join(re.findall(r"\*\{([^}]*)\}", child.text or "")) if name == "style" else ""
                parent.remove(child)
    used: set[str] = set()
    for element in root.iter():
        for value in element.attrib.values():
            used |= {value[1:]} if value.startswith("#") else set(_LOCAL.findall(value))
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        target = element.attrib.pop(_XLINK, None)
        if target is not None:
            element.set("href", f"#{prefix}-{target[1:]}" if target.startswith("#") else target)
        for name, value in list(element.attrib.items()):
            if name == "id":
                if value in used:
                    element.set("id", f"{prefix}-{value}")
                else:
                    del element.attrib["id"]
            else:
                element.set(name, _LOCAL.sub(rf"url(#{prefix}-\1)", value))
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    if look:
        root.set("style", look)
    root.set("role", "img")
    root.set("aria-labelledby", f"{prefix}-title")
    said = ElementTree.Element("title", id=f"{prefix}-title")
    said.text = title
    root.insert(0, said)
    return ElementTree.tostring(root, encoding="unicode")
