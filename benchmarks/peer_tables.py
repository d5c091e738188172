"""The peer's ORM models: the tables of an upspace store that its six endpoints need."""

import json
from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, Dialect, ForeignKey, Text, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    """Base of all models."""

    # Numbers of accounts need 64 bits, which PostgreSQL tells from 32.
    type_annotation_map: ClassVar[dict[Any, Any]] = {int: BigInteger}


class JsonText(TypeDecorator[Any]):
    """JSON in a column of text, which PostgreSQL tells from its own type for JSON."""

    impl = Text
    cache_ok = True

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ARG002  # as it is called
        return None if value is None else json.loads(value)


Json = JSON().with_variant(JsonText, "postgresql")


class Account(Base):
    """What people see of an account. A deleted account has no row here."""

    __tablename__ = "account"

    mid: Mapped[int] = mapped_column(ForeignKey("standing.mid"), primary_key=True)
    name: Mapped[str]
    sex: Mapped[str]
    face: Mapped[str]
    face_nft: Mapped[int]
    sign: Mapped[str]
    rank: Mapped[int]
    level: Mapped[int]
    birthday: Mapped[str]
    is_senior_member: Mapped[int]
    nft_icon: Mapped[str]
    official: Mapped[dict[str, Any] | None] = mapped_column(Json)
    vip: Mapped[dict[str, Any] | None] = mapped_column(Json)
    decorations: Mapped[dict[str, Any] | None] = mapped_column(Json)

    standing: Mapped["Standing"] = relationship()
    upstat: Mapped["Upstat | None"] = relationship()


class Standing(Base):
    """State, privacy flags and counters of an account."""

    __tablename__ = "standing"

    mid: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[int]
    hides_followings: Mapped[bool]
    hides_followers: Mapped[bool]
    hides_birthday: Mapped[bool]
    following: Mapped[int]
    follower: Mapped[int]


class Upstat(Base):
    """The totals of an uploader."""

    __tablename__ = "upstat"

    mid: Mapped[int] = mapped_column(ForeignKey("account.mid"), primary_key=True)
    archive_view: Mapped[int]
    article_view: Mapped[int]
    likes: Mapped[int]
    archive_count: Mapped[int]
    article_count: Mapped[int]


class Relation(Base):
    """The owner's side of a pair; attribute 2 is a follow."""

    __tablename__ = "relation"

    owner: Mapped[int] = mapped_column(primary_key=True)
    other: Mapped[int] = mapped_column(ForeignKey("account.mid"), primary_key=True)
    attribute: Mapped[int]
    mtime: Mapped[int]

    account: Mapped[Account | None] = relationship()


class Follower(Base):
    """One follower of `owner`."""

    __tablename__ = "follower"

    owner: Mapped[int] = mapped_column(primary_key=True)
    mtime: Mapped[int] = mapped_column(primary_key=True)
    other: Mapped[int] = mapped_column(ForeignKey("account.mid"), primary_key=True)

    account: Mapped[Account | None] = relationship()
