"""The secrets of one stack, made at its first start and kept beside its data."""

import secrets
from dataclasses import asdict, dataclass

from gamemetrics.stack.layout import Layout
from gamemetrics.stack.private_files import read_pairs, write_pairs


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    django_secret_key: str
    admin_password: str
    management_key: str
    chunk_signing_key: str
    flower_password: str
    database_password: str
    database_superuser_password: str

    @classmethod
    def of(cls, layout: Layout) -> "Credentials":
        """Those kept in the state directory; what is missing is made and kept."""
        kept = read_pairs(layout.secrets_file)
        values = {
            name: kept.get(name.upper()) or secrets.token_urlsafe(24)
            for name in cls.__dataclass_fields__
        }
        credentials = cls(**values)
        pairs = {name.upper(): value for name, value in asdict(credentials).items()}
        if pairs != kept:
            layout.root.mkdir(parents=True, exist_ok=True)
            write_pairs(layout.secrets_file, pairs)
        return credentials
