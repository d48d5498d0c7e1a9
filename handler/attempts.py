"""Attempts: what the calls of one event can have done.

An event's answer depends on more than its last error. A CreateDomain that timed out may have made a domain; one that
was refused each time made nothing. One object for each event keeps count, where the attempts are made.

What may have been done has these names:

    ApiError.unsettled         of one call: the API may have carried it out, or may still do so
    Attempts.may_still_act     of an event: one of its calls may still be carried out
    Attempts.can_have_acted    of an event: one of its calls was carried out, or may be
    Actions.has_made           of an event: it made the domain, or an unsettled call of it may have
    Event.is_unsettled         of a Delete: the Create that it cleans up after had `may_still_act`, or met its deadline
"""

from __future__ import annotations

import enum


class Fate(enum.Enum):
    """What became of one attempt at a call that changes something."""

    REFUSED = "refused"  # the API answered that it did not carry it out
    NOT_SENT = "not sent"  # no connection was made
    UNKNOWN = "unknown"  # a timeout, a broken connection, an error of the API's own: it may have been carried out
    DONE = "done"


class Attempts:
    """Keeps count of one event's attempts at calls that change something.

    >>> attempts = Attempts()
    >>> attempts.note(Fate.REFUSED)
    >>> attempts.can_have_acted
    False
    """

    def __init__(self) -> None:
        self.can_have_acted = False
        self.may_still_act = False
        self.throttled = 0
        self.last_error = ""

    def note(self, fate: Fate) -> None:
        """Note one attempt at a call that changes something.

        If its fate is UNKNOWN, the API may have acted already, or may still act after the event was answered.
        """
        self.can_have_acted |= fate in (Fate.UNKNOWN, Fate.DONE)
        self.may_still_act |= fate is Fate.UNKNOWN

    def note_error(self, text: str, *, throttled: bool = False) -> None:
        """Note an error of the API's, of any call: an answer that the deadline forces tells about it."""
        self.throttled += throttled
        self.last_error = text

    def note_own_domain(self) -> None:
        """Note that a domain of the resource's own was found: an earlier delivery of the event may have made it."""
        self.can_have_acted = True
