"""Users, their sessions, and how sign-in slows down after failures. Stores only hashes, of passwords and of tokens alike.

Must not hash or check passwords: annot.accounts does, with argon2.
"""

from annot.errors import BadInput, NotFound
from annot.records import Role, User
from annot.store.database import Database

IMPORTER = "import"
FORGOTTEN_AFTER_S = 24 * 3600.0


class Accounts:
    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, name: str, role: Role, password_hash: str, now: float) -> User:
        """Create an account. Raises BadInput when the name is taken."""
        with self._db.immediate():
            if self._db.row("SELECT 1 FROM users WHERE name = ?", (name,)):
                raise BadInput(f"There is already an account named {name!r}.")
            made = self._db.insert("users", name=name, role=role, password_hash=password_hash, created_at=now)
        return User(made, name, role)

    def importer(self, now: float) -> User:
        """Return the account that stands for labels that came with a file; nobody can sign in as it."""
        row = self._db.row("SELECT id FROM users WHERE name = ?", (IMPORTER,))
        return User(row["id"], IMPORTER, Role.ANNOTATOR) if row else self.add(IMPORTER, Role.ANNOTATOR, "", now)

    def find(self, name: str) -> User:
        """Raises NotFound."""
        row = self._db.row("SELECT id, name, role FROM users WHERE name = ?", (name,))
        if row is None:
            raise NotFound(f"There is no account named {name!r}.")
        return User(row["id"], row["name"], Role(row["role"]))

    def all(self) -> list[User]:
        """Return the accounts people can use, by name."""
        rows = self._db.rows("SELECT id, name, role FROM users WHERE password_hash != '' ORDER BY name")
        return [User(row["id"], row["name"], Role(row["role"])) for row in rows]

    def password_hash(self, name: str) -> str:
        """Return the stored hash, empty when the account does not exist or cannot sign in."""
        return str(self._db.scalar("SELECT password_hash FROM users WHERE name = ?", (name,)) or "")

    def set_password(self, user: int, password_hash: str) -> None:
        """Replace the hash and end every session of the account."""
        with self._db.immediate():
            self._db.execute("UPDATE users SET password_hash = ? WHERE id = ?", (password_hash, user))
            self._db.execute("DELETE FROM sessions WHERE user_id = ?", (user,))

    def open_session(self, user: int, token_hash: bytes, now: float, expires_at: float) -> None:
        with self._db.immediate():
            self._db.execute("DELETE FROM sessions WHERE expires_at < ?", (now,))
            self._db.insert("sessions", token_hash=token_hash, user_id=user, created_at=now, expires_at=expires_at)

    def session_user(self, token_hash: bytes, now: float) -> User | None:
        row = self._db.row(
            "SELECT u.id, u.name, u.role FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.token_hash = ? AND s.expires_at > ?",
            (token_hash, now),
        )
        return User(row["id"], row["name"], Role(row["role"])) if row else None

    def close_session(self, token_hash: bytes) -> None:
        self._db.execute("DELETE FROM sessions WHERE token_hash = ?", (token_hash,))

    def failures(self, name: str) -> tuple[int, float]:
        """Return the failed sign-ins in a row under this name and when it may be tried again."""
        row = self._db.row("SELECT failures, open_again_at FROM signin_failures WHERE name = ?", (name,))
        return (row["failures"], row["open_again_at"]) if row else (0, 0.0)

    def note_failure(self, name: str, open_again_at: float) -> None:
        self._db.execute("DELETE FROM signin_failures WHERE open_again_at < ?", (open_again_at - FORGOTTEN_AFTER_S,))
        self._db.execute(
            "INSERT INTO signin_failures VALUES (?, 1, ?) "
            "ON CONFLICT (name) DO UPDATE SET failures = failures + 1, open_again_at = excluded.open_again_at",
            (name, open_again_at),
        )

    def forget_failures(self, name: str) -> None:
        self._db.execute("DELETE FROM signin_failures WHERE name = ?", (name,))
