"""The parameters in the body of a POST (contract, section 2): urlencoded, or multipart."""

import logging

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, FormParser, parse_options_header

from upspace.wire.errors import BadRequestError
from upspace.wire.forms import parse_query

_URLENCODED = b"application/x-www-form-urlencoded"
_MULTIPART = b"multipart/form-data"

# It warns of every malformed body. What a client sends is no news to whoever reads the log.
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)


def parse_body(content_type: str | None, body: bytes) -> dict[str, str]:
    """The parameters of a body; of a name given twice, the first counts.

    A body without a type is read as urlencoded, one of another type holds no parameters. Raises BadRequestError for a
    malformed multipart body.
    """
    kind, options = (_URLENCODED, {}) if content_type is None else parse_options_header(content_type)
    if kind == _URLENCODED:
        return parse_query(body.decode("utf-8", "replace"))
    if kind == _MULTIPART:
        return _parse_multipart(options.get(b"boundary"), body)
    return {}


def _parse_multipart(boundary: bytes | None, body: bytes) -> dict[str, str]:
    """The fields of a multipart body; uploaded files are no parameters."""
    values: dict[str, str] = {}
    ended = False

    def keep(field: Field) -> None:
        name = (field.field_name or b"").decode("utf-8", "replace")
        if name and name not in values:
            values[name] = (field.value or b"").decode("utf-8", "replace")

    def end() -> None:
        nonlocal ended
        ended = True

    try:
        parser = FormParser(_MULTIPART.decode(), keep, None, end, boundary)
        parser.write(body)
        parser.finalize()
    except (FormParserError, ValueError) as error:
        raise BadRequestError("not a multipart body") from error
    if not ended:
        raise BadRequestError("a multipart body without its end")
    return values
