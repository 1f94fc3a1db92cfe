"""The errors Annot raises on purpose. Their text is written for the person who sees it; it never holds a secret.

AnnotError                  what the UI and the CLI may show as it is
├── BadInput                a file, value or argument from outside is not usable
│   └── UnknownName         a registry has no such entry; the message lists the known ones
├── NotAllowed              nobody signed in, or the account may not do this
│   └── SignInRequired      no valid session
├── NotFound                the thing named does not exist (any more)
├── Busy                    somebody else holds what is needed; try again later
├── WorkspaceError          the workspace cannot be used: read-only, disk full, made by a newer version
└── ModelError              an encoder or model cannot be loaded or trained

Must not import anything of Annot.
"""


class AnnotError(Exception):
    """Anything a user can act on. The message says what is wrong and what to do next."""


class BadInput(AnnotError):
    """Input from outside that cannot be used."""


class UnknownName(BadInput):
    """No entry of that name in a registry."""

    def __init__(self, what: str, name: str, known: list[str]) -> None:
        super().__init__(f"There is no {what} named {name!r}. Known: {', '.join(sorted(known)) or 'none'}.")


class NotAllowed(AnnotError):
    """The account may not do this."""


class SignInRequired(NotAllowed):
    """No valid session was presented."""


class NotFound(AnnotError):
    """The thing named does not exist."""


class Busy(AnnotError):
    """Another process or person holds what is needed."""


class WorkspaceError(AnnotError):
    """The workspace cannot be read or written."""


class ModelError(AnnotError):
    """An encoder or a model cannot be loaded, trained or applied."""
