"""Rows 8 to 38 of the corpus: requests and bodies that are wrong as a whole."""

from __future__ import annotations

import gzip

from tests.acceptance.corpus.case import JSON, NDJSON, Posted, batch, data, event

MIB = 1024 * 1024
PACKED = (("Content-Type", JSON), ("Content-Encoding", "gzip"))


def _whole(row: int, what: str, expect: str, body: bytes, **headers: str) -> Posted:
    given = {"Content-Type": JSON} | {name.replace("_", "-"): v for name, v in headers.items()}
    return Posted(row=row, what=what, expect=expect, body=body, headers=tuple(given.items()))


def _truncated(body: bytes) -> bytes:
    return gzip.compress(body)[:-4]


def _with_a_tail(body: bytes) -> bytes:
    return gzip.compress(body) + b"tail"


def _event_of(size: int) -> bytes:
    """An event of exactly this many bytes, no string of which is over its own limit."""
    room = size - len(data('{"a": "", "b": "", "c": "", "d": "", "e": ""}'))
    parts = [room // 5 + (number < room % 5) for number in range(5)]
    texts = [f'"{name}": "{"x" * part}"' for name, part in zip("abcde", parts, strict=True)]
    return data("{" + ", ".join(texts) + "}")


REQUESTS = (
    *(
        Posted(row=8, what=method, expect="405 method_not_allowed", body=event(), method=method)
        for method in ("GET", "PUT", "PATCH", "DELETE")
    ),
    _whole(9, "text/plain", "415 media_type", event(), Content_Type="text/plain"),
    _whole(9, "no Content-Type", "415 media_type", event(), Content_Type=""),
    *(
        _whole(10, f"charset={charset}", "415 charset", event(),
                 Content_Type=f"{JSON}; charset={charset}")
        for charset in ("utf-16", "latin-1")
    ),
    _whole(11, "Content-Encoding: br", "415 content_encoding", event(), Content_Encoding="br"),
    *(
        Posted(row=row, what=what, expect=expect, body=body, headers=PACKED, pack=pack)
        for row, what, expect, body, pack in (
            (11, "gzip", "202, 1 applied", event(), gzip.compress),
            (11, "no gzip as gzip", "400 invalid_gzip", event(), bytes),
            (11, "gzip, truncated", "400 invalid_gzip", event(), _truncated),
            (11, "gzip with a tail", "400 invalid_gzip", event(), _with_a_tail),
            (12, "8 KiB of gzip for 8 MiB and a byte", "413 body_too_large",
             b" " * (8 * MIB + 1), gzip.compress),
            (17, "empty gzip", "400 empty_body", b"", gzip.compress),
        )
    ),
    _whole(13, "1 MiB and a byte", "413 body_too_large", b" " * MIB + b"x"),
    _whole(17, "empty", "400 empty_body", b""),
    _whole(17, "spaces", "400 empty_body", b"  \r\n"),
    _whole(19, "truncated JSON", "400 invalid_json", event()[:-9]),
    _whole(20, "an event and x", "400 invalid_json", event() + b"x"),
    _whole(21, "two documents", "400 invalid_json", event() + event()),
    _whole(21, "NDJSON as JSON", "400 invalid_json", event() + b"\n" + event()),
    _whole(21, "NDJSON as NDJSON", "202: accepted; accepted, 2 applied",
             event() + b"\n" + event() + b"\n", Content_Type=NDJSON),
    _whole(22, "UTF-8 BOM", "400 invalid_json", b"\xef\xbb\xbf" + event()),
    _whole(23, "UTF-16", "400 invalid_json", event().decode().encode("utf-16")),
    _whole(23, "UTF-16 without BOM", "400 invalid_json", event().decode().encode("utf-16-be")),
    _whole(24, "byte FF", "400 invalid_utf8", event(player_id='"Q"').replace(b"Q", b"\xff")),
    _whole(25, "overlong C0 AF", "400 invalid_utf8",
             event(player_id='"Q"').replace(b"Q", b"\xc0\xaf")),
    _whole(25, "surrogate as ED A0 80", "400 invalid_utf8",
             event(player_id='"Q"').replace(b"Q", b"\xed\xa0\x80")),
    *(
        _whole(26, f"{word} as a number", "400 invalid_json", data(f'{{"score": {word}}}'))
        for word in ("NaN", "Infinity", "-Infinity")
    ),
    *(
        _whole(27, number, "400 number_range /data", data(f'{{"ratio": {number}}}'))
        for number in ("1e400", "-1e99999999999", "1e-20000", "0e999999")
    ),
    _whole(27, "1e-400", "202, 1 applied", data('{"ratio": 1e-400}')),
    _whole(28, "depth 33", "400 too_deep /data" + "/a" * 30 + "/0",
             data('{"a": ' * 30 + "[1]" + "}" * 30)),
    _whole(28, "depth 32", "202, 1 applied", data('{"a": ' * 29 + "[1]" + "}" * 29)),
    _whole(28, "depth 33 behind an equal key", "400 too_deep /data",
             data('{"a": ' + "[" * 31 + "]" * 31 + ', "a": 1}')),
    _whole(29, "100,000 [ closed", "400 too_deep", b"[" * 100_000 + b"]" * 100_000),
    _whole(29, "100,000 [ unclosed", "400 too_deep", b"[" * 100_000),
    _whole(30, "equal keys", "202, 1 applied", data('{"score": 1, "score": 2, "a": 1, "a": 2}')),
    *(
        _whole(31, what, "400 invalid_json", text)
        for what, text in (
            ("a comment", data('{"score": 10 /* ten */}')),
            ("single quotes", event().replace(b'"', b"'")),
            ("a trailing comma", data('{"score": 10,}')),
            ("01", data('{"score": 01}')),
            ("+1", data('{"score": +1}')),
            (".5", data('{"score": .5}')),
        )
    ),
    _whole(32, "half a surrogate pair in a value", "400 invalid_unicode",
             event(player_id=r'"\ud800"')),
    _whole(32, "half a surrogate pair in a key", "400 invalid_unicode", data(r'{"\udc00": 1}')),
    _whole(33, "a raw line feed in a string", "400 invalid_json", event(player_id='"a\nb"')),
    _whole(34, "null", "400 not_object", b"null"),
    _whole(34, "42", "400 not_object", b"42"),
    _whole(34, '"x"', "400 not_object", b'"x"'),
    _whole(34, "[null, 42]", "400: rejected not_object; rejected not_object", b"[null, 42]"),
    _whole(35, "[]", "400 empty_batch", b"[]"),
    _whole(35, '{"events": []}', "400 empty_batch", b'{"events": []}'),
    _whole(36, "1,001 events", "413 batch_too_large", batch(*[event()] * 1_001)),
    _whole(36, "1,001 lines", "413 batch_too_large", b"{}\n" * 1_001, Content_Type=NDJSON),
    _whole(37, "an event of 64 KiB", "202, 1 applied", _event_of(64 * 1024)),
    _whole(37, "an event of 64 KiB and a byte", "400 event_too_large", _event_of(64 * 1024 + 1)),
    _whole(37, "the same in a batch", "207: accepted; rejected event_too_large, 1 applied",
             batch(event(), _event_of(64 * 1024 + 1))),
    _whole(38, '{"events": {}}', "400 type /events", b'{"events": {}}'),
    _whole(38, '{"events": "x"}', "400 type /events", b'{"events": "x"}'),
)  # fmt: skip
