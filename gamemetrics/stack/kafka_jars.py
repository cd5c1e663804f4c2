"""Apache Kafka's jars: resolved once by Maven from the pinned pom.xml, then kept in a cache."""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from gamemetrics.stack.errors import StackError
from gamemetrics.stack.locking import locked

POM = Path(__file__).with_name("pom.xml")
OLDEST_JAVA = 17


class KafkaUnavailable(StackError):
    """Apache Kafka cannot be run here."""


def java() -> Path:
    """The Java to run Kafka with: JAVA_HOME's, or else the one on PATH."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin") if home else None
    found = found or shutil.which("java")
    if not found:
        raise KafkaUnavailable(f"Apache Kafka needs Java {OLDEST_JAVA} or later: no java on PATH")
    told = subprocess.run([found, "-version"], capture_output=True, text=True)
    version = re.search(r'version "(\d+)', told.stderr + told.stdout)
    if not version or int(version[1]) < OLDEST_JAVA:
        has = version[1] if version else "an unknown version"
        raise KafkaUnavailable(f"Apache Kafka needs Java {OLDEST_JAVA} or later: {found} is {has}")
    return Path(found)


def cached(environ: Mapping[str, str]) -> Path:
    """Where the jars of exactly this pom.xml are, once they are."""
    base = environ.get("GAMEMETRICS_CACHE") or Path.home() / ".cache" / "gamemetrics"
    pom = POM.read_text()
    version = re.search(r"<artifactId>kafka_2\.13</artifactId>\s*<version>(.+?)</version>", pom)
    if not version:
        raise KafkaUnavailable(f"{POM} names no version of kafka_2.13")
    return Path(base) / f"kafka-{version[1]}-{hashlib.sha256(pom.encode()).hexdigest()[:8]}"


def fetch(environ: Mapping[str, str], tell: Callable[[str], None]) -> Path:
    """The directory of jars; downloads them (45 MB) if it is not there yet."""
    target = cached(environ)
    if target.is_dir():
        return target
    maven = shutil.which("mvn")
    if not maven:
        raise KafkaUnavailable("Apache Kafka's jars need Maven once, to fetch them: no mvn on PATH")
    target.parent.mkdir(parents=True, exist_ok=True)
    # Two first starts at once: the second waits, then finds the jars.
    with locked(target.with_suffix(".lock")):
        if not target.is_dir():
            tell(f"fetching Apache Kafka from Maven Central into {target}, once (45 MB)")
            _download(maven, target)
    return target


def _download(maven: str, target: Path) -> None:
    # Java takes the home directory from the user database, where a container's user has none.
    home = f"-Duser.home={Path.home()}"
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="download-") as temporary:
        jars = Path(temporary) / "jars"
        resolved = subprocess.run(
            [
                maven,
                "--quiet",
                "--batch-mode",
                "-Dstyle.color=never",
                f"--file={POM}",
                "dependency:copy-dependencies",
                "-DincludeScope=runtime",
                f"-DoutputDirectory={jars}",
            ],
            env={**os.environ, "MAVEN_OPTS": f"{home} {os.environ.get('MAVEN_OPTS', '')}"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if resolved.returncode:
            told = (resolved.stdout + resolved.stderr).strip().partition("\n")[0]
            raise KafkaUnavailable(f"Maven could not fetch Apache Kafka: {told}")
        jars.rename(target)
