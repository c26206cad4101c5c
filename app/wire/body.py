"""Reading an answer's bytes within a limit, compressed ones included.

Bytes are counted as they come and again as they unfold: a few kilobytes that would unfold to gigabytes are
refused at the limit, not afterwards.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Iterable


class TooLarge(Exception):  # noqa: N818 - a verdict on an answer
    """The answer passed its limit; reading stopped there."""


class BadEncoding(Exception):  # noqa: N818 - a verdict on an answer
    """The content encoding is one we do not read, is broken, or was cut."""


async def read_within(chunks: AsyncIterator[bytes], encoding: str, limit: int) -> bytes:
    """The unfolded body. Raises TooLarge, BadEncoding, and whatever the stream raises."""
    unfold = _Unfold(encoding, limit)
    body = bytearray()
    async for chunk in chunks:
        for piece in unfold(chunk):
            body += piece
            if len(body) > limit:
                raise TooLarge(f"answer larger than {limit} bytes")
    unfold.finish()
    return bytes(body)


class _Unfold:
    """gzip, deflate or plain, in pieces that never exceed the limit by more than one step."""

    def __init__(self, encoding: str, limit: int) -> None:
        self._step = min(limit + 1, 1024 * 1024)
        self._folded = False
        name = encoding.strip().lower()
        if name in ("", "identity"):
            self._decompress = None
        elif name in ("gzip", "x-gzip"):
            self._decompress = zlib.decompressobj(zlib.MAX_WBITS | 16)
        elif name == "deflate":
            self._decompress = zlib.decompressobj()
        else:
            raise BadEncoding(f"content encoding {name[:40]!r} was not asked for")

    def __call__(self, chunk: bytes) -> Iterable[bytes]:
        if self._decompress is None:
            yield chunk
            return
        self._folded = self._folded or bool(chunk)
        try:
            while chunk and not self._decompress.eof:
                yield self._decompress.decompress(chunk, self._step)
                chunk = self._decompress.unconsumed_tail
        except zlib.error:
            raise BadEncoding("compressed answer is broken") from None

    def finish(self) -> None:
        if self._decompress is not None and self._folded and not self._decompress.eof:
            raise BadEncoding("compressed answer was cut")
