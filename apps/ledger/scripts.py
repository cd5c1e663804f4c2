"""Lua that Redis knows by its digest."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.exceptions import NoScriptError

# Keys and arguments.
Call = tuple[list[str], tuple[Any, ...]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Script:
    """A script that is sent once and then called by its digest."""

    text: str
    sha: str

    @classmethod
    def of(cls, text: str) -> Script:
        return cls(text=text, sha=hashlib.sha1(text.encode()).hexdigest())

    def run(self, client: Redis, keys: list[str], *arguments: Any) -> Any:
        (answer,) = self.run_all(client, [(keys, arguments)])
        return answer

    def run_all(self, client: Redis, calls: Sequence[Call]) -> list[Any]:
        """One round trip for all calls; two where Redis does not know the script yet."""
        answers = self._send(client, calls)
        if any(isinstance(answer, NoScriptError) for answer in answers):
            client.script_load(self.text)
            # What ran before it was flushed away runs again: the values are absolute.
            answers = self._send(client, calls)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers

    def _send(self, client: Redis, calls: Sequence[Call]) -> list[Any]:
        pipeline = client.pipeline(transaction=False)
        for keys, arguments in calls:
            pipeline.evalsha(self.sha, len(keys), *keys, *arguments)
        answers: list[Any] = pipeline.execute(raise_on_error=False)
        return answers
