"""Where the local stack keeps its files."""

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parents[2]

# A unix socket's path is at most 107 bytes (unix(7)); supervisord first binds "<path>.<pid>".
LONGEST_SOCKET_PATH = 95


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """The state directory (STACK_DIR) and the names inside it."""

    root: Path

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Layout":
        given = environ.get("STACK_DIR")
        return cls(root=Path(given).expanduser().resolve() if given else PROJECT_ROOT / ".stack")

    @property
    def env_file(self) -> Path:
        return self.root / "env"

    @property
    def secrets_file(self) -> Path:
        return self.root / "secrets"

    @property
    def run_file(self) -> Path:
        return self.root / "run.json"

    @property
    def lock_file(self) -> Path:
        return self.root / "lock"

    @property
    def pids(self) -> Path:
        return self.root / "pids"

    @property
    def logs(self) -> Path:
        return self.root / "log"

    @property
    def launches(self) -> Path:
        return self.root / "launch"

    @property
    def redis(self) -> Path:
        return self.root / "redis"

    @property
    def kafka(self) -> Path:
        return self.root / "kafka"

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def away(self) -> Path:
        """Holds PostgreSQL's data where its user cannot reach the state directory."""
        return Path("/var/tmp") / f"gamemetrics-{self.fingerprint}"

    @property
    def short(self) -> Path:
        """Holds the socket where the state directory's own path is too long for one."""
        return Path(tempfile.gettempdir()) / f"gamemetrics-sock-{self.fingerprint}"

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(str(self.root).encode()).hexdigest()[:12]

    @property
    def supervisor_config(self) -> Path:
        return self.root / "supervisord.conf"

    @property
    def supervisor_pid(self) -> Path:
        return self.root / "supervisord.pid"

    @property
    def socket(self) -> Path:
        near = self.root / "supervisord.sock"
        return near if len(str(near)) <= LONGEST_SOCKET_PATH else self.short / "supervisord.sock"

    def pid_file(self, name: str) -> Path:
        return self.pids / f"{name}.pid"

    def log_file(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def launch_file(self, name: str) -> Path:
        return self.launches / f"{name}.json"

    def make(self) -> None:
        """Creates the directories that do not exist."""
        for directory in (self.root, self.pids, self.logs):
            directory.mkdir(parents=True, exist_ok=True)
        # Launch files carry every secret in the environment of a process.
        for private in (self.launches, self.socket.parent):
            if private != self.root:
                private.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def data(self) -> tuple[Path, ...]:
        """Everything the stack ever puts on disk, but for the download cache."""
        return (
            self.env_file, self.secrets_file, self.run_file, self.pids, self.logs, self.launches,
            self.redis, self.kafka, self.postgres, self.away, self.short,
            self.supervisor_config, self.supervisor_pid, self.socket,
            self.root / "supervisord.log", self.lock_file,
        )  # fmt: skip
