"""Whether a message has attachments, by its BODYSTRUCTURE."""

import re

# A disposition (RFC 2183), or type and subtype where a part begins: behind a bracket, or at the beginning.
_ATTACHED = re.compile(rb'\("attachment"[ )]|(?<![^()])\("(?!text"|message")[^"]*" "', re.IGNORECASE)


def attached(bodystructure: bytes) -> bool:
    """Whether a part says that it is an attachment, or is neither text nor a message.

    The body of a message that is enclosed is not a part in this sense; parts of it are.

    Args:
        bodystructure: As `mail.render.bodystructure` makes it.
    """
    return _ATTACHED.search(bodystructure) is not None
