"""The visible text of HTML: what a person would read, without tags, and what is hidden left out.

It is found in one pass and not by a tree: who writes nonsense gets some of it. What a style sheet hides
stays visible; what an element hides by itself does not.
"""

import html
import re

# Elements of which nothing is shown.
_SILENT = re.compile(r"<(style|script|title|noscript|template)\b[^<>]*>?", re.IGNORECASE)
_HIDES = re.compile(
    r"\shidden[\s=/>]|display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all"
    r"|font-size\s*:\s*0(?:px|pt|em|%)?\s*[;\"'!]|max-height\s*:\s*0(?:px)?\s*[;\"'!]|opacity\s*:\s*0\s*[;\"'!]",
    re.IGNORECASE,
)
_TAG = re.compile(r"<(/?)([a-z][a-z0-9:-]*)([^<>]*)>?", re.IGNORECASE)
# Tags that part no words; then all others, which do, and what looks like one.
_WITHIN = re.compile(
    r"</?(?:a|abbr|b|bdi|bdo|big|cite|code|del|dfn|em|font|i|ins|kbd|label|mark|nobr|o:p|q|s|samp|small|span"
    r"|strike|strong|sub|sup|tt|u|var|wbr)(?=[\s/>])[^<>]*>?",
    re.IGNORECASE,
)
_ANY = re.compile(r"<[a-z/!?][^<>]*>?", re.IGNORECASE)
_VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"]
)
_UNSEEN = dict.fromkeys(map(ord, "\u00ad\u034f\u180e\u200b\u200c\u200d\u2060\ufeff"))  # within words


def visible_text(source: str) -> str:
    """The visible text, on one line."""
    shown = _without_comments(source)
    shown = _without_silent(shown)
    if _HIDES.search(shown):
        shown = _without_hidden(shown)
    shown = _ANY.sub(" ", _WITHIN.sub("", shown))
    if "&" in shown:
        shown = html.unescape(shown)
    return " ".join(shown.translate(_UNSEEN).split()) if not shown.isascii() else " ".join(shown.split())


def _without_comments(source: str) -> str:
    kept: list[str] = []
    at = 0
    while (start := source.find("<!--", at)) >= 0:
        kept.append(source[at:start])
        end = source.find("-->", start + 4)
        if end < 0:
            return "".join(kept)
        at = end + 3
    kept.append(source[at:])
    return "".join(kept)


def _without_silent(source: str) -> str:
    kept: list[str] = []
    at = 0
    while (found := _SILENT.search(source, at)) is not None:
        kept += (source[at : found.start()], " ")
        end = re.compile(rf"</{found[1]}\b[^<>]*>?", re.IGNORECASE).search(source, found.end())
        if end is None:
            return "".join(kept)
        at = end.end()
    kept.append(source[at:])
    return "".join(kept)


def _without_hidden(source: str) -> str:
    """Leave out each element that hides itself, up to where it ends, or to the end of all."""
    kept: list[str] = []
    at = depth = 0
    hidden = ""
    for tag in _TAG.finditer(source):
        closes, name, rest = tag[1], tag[2].lower(), tag[3]
        if not hidden:
            if not closes and name not in _VOID and _HIDES.search(f"{rest} >"):
                kept += (source[at : tag.start()], " ")
                hidden, depth = name, 1
        elif name == hidden:
            depth += -1 if closes else 1
            if depth == 0:
                hidden, at = "", tag.end()
    if not hidden:
        kept.append(source[at:])
    return "".join(kept)
