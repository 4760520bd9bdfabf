"""Patterns of LIST and LSUB, held against names (RFC 3501 section 6.3.8).

Matching follows all ways through all patterns at once, as bits of one number, so no pattern is slow,
and many are as fast as one.
"""

from mailstead.mail.mailbox import HIERARCHY, INBOX, is_inbox


class Pattern:
    """A reference and patterns behind it, ready to be held against names; a name matches if one does.

    Bit n of a state says that the tokens of a pattern up to n have been matched; the patterns follow
    each other, with a bit between them for the end of each. INBOX is matched in any case, also as the
    first level of a longer name (RFC 3501 section 5.1), and nothing else is.
    """

    def __init__(self, reference: str, *patterns: str) -> None:
        wholes = [reference + pattern for pattern in patterns]
        self._every = "*" in wholes
        plain = len(wholes) == 1 and "*" not in wholes[0] and "%" not in wholes[0]
        self._literal = wholes[0] if plain else None
        self._begin = self._end = 0
        self._stars = self._percents = 0
        self._steps: dict[str, int] = {}
        self._inbox: dict[str, int] = dict.fromkeys(INBOX, 0)  # as steps, in any case
        at = 0
        for whole in wholes:
            self._begin |= 1 << at
            at = self._follow(_tokens(whole), at)
            self._end |= 1 << at
            at += 1

    def _follow(self, tokens: list[str], at: int) -> int:
        """Take in one pattern, whose first token is bit *at*; where it ends."""
        for n, token in enumerate(tokens, at):
            match token:
                case "*":
                    self._stars |= 1 << n
                case "%":
                    self._percents |= 1 << n
                case _:
                    self._steps[token] = self._steps.get(token, 0) | 1 << n
                    if token.isascii() and token.upper() in self._inbox:
                        self._inbox[token.upper()] |= 1 << n
        return at + len(tokens)

    def __contains__(self, name: str) -> bool:
        if self._every:
            return True
        inbox = len(INBOX) if name.partition(HIERARCHY)[0] == INBOX else 0
        if self._literal is not None:
            first, rest = self._literal[:inbox], self._literal[inbox:]
            return rest == name[inbox:] and (not inbox or is_inbox(first))
        wild = self._stars | self._percents
        state = self._begin
        state |= (state & wild) << 1
        for at, c in enumerate(name):
            staying = self._stars if c == HIERARCHY else wild
            steps = self._inbox if at < inbox else self._steps
            state = state & staying | (state & steps.get(c, 0)) << 1
            if not state:
                return False
            state |= (state & wild) << 1
        return bool(state & self._end)


def _tokens(pattern: str) -> list[str]:
    """Characters and wildcards, of which no two stand together: "*%" is what "*" is."""
    tokens: list[str] = []
    for c in pattern:
        if tokens and c in "*%" and tokens[-1] in "*%":
            if c == "*":
                tokens[-1] = "*"
        else:
            tokens.append(c)
    return tokens
