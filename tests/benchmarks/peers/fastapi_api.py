"""FastAPI + SQLAlchemy 2 async + asyncpg + pydantic, in the shape of the full-stack FastAPI template."""

from datetime import UTC, datetime
from os import environ
from typing import Annotated

import jwt
from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.security import OAuth2PasswordBearer
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import BigInteger, DateTime, String, Text, func, select
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tests.benchmarks.peers.shapes import Source, Status

url = URL.create(
    "postgresql+asyncpg",
    environ["POSTGRES_USER"],
    environ["POSTGRES_PASSWORD"],
    environ["POSTGRES_HOST"],
    int(environ["POSTGRES_PORT"]),
    environ["POSTGRES_DB"],
)
Session = async_sessionmaker(create_async_engine(url, pool_size=10, max_overflow=10), expire_on_commit=False)


def now():
    return datetime.now(UTC)


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "auth_user"
    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(150))
    is_active: Mapped[bool]


class Incident(Base):
    __tablename__ = "incident"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    description: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(20), default="open")
    source: Mapped[str] = mapped_column(String(20))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now, onupdate=now)


class Patch(BaseModel):
    status: Status


class In(BaseModel):
    description: str = Field(min_length=1, max_length=5000)
    status: Status = "open"
    source: Source


class Out(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int
    description: str
    status: Status
    source: Source
    created_at: datetime
    updated_at: datetime


class Page(BaseModel):
    count: int
    next: str | None
    previous: str | None
    results: list[Out]


async def get_session():
    async with Session() as session:
        yield session


DB = Annotated[AsyncSession, Depends(get_session)]
Token = Annotated[str, Depends(OAuth2PasswordBearer(tokenUrl="/api/v1/token/"))]


async def get_current_user(db: DB, token: Token) -> User:
    try:
        payload = jwt.decode(token, environ["SECRET_KEY"], algorithms=["HS256"])
    except jwt.InvalidTokenError:
        raise HTTPException(401, "Could not validate credentials") from None
    user = await db.get(User, int(payload["user_id"]))
    if not user or not user.is_active:
        raise HTTPException(401, "Inactive user")
    return user


async def find(db: AsyncSession, pk: int) -> Incident:
    if not (incident := await db.get(Incident, pk)):
        raise HTTPException(404, "Not found")
    return incident


CurrentUser = Annotated[User, Depends(get_current_user)]
app = FastAPI()


@app.get("/api/v1/incidents/", response_model=Page)
async def list_incidents(
    request: Request, db: DB, user: CurrentUser, status: Status | None = None, page: Annotated[int, Query(ge=1)] = 1
):
    items, total = select(Incident), select(func.count()).select_from(Incident)
    if status:
        items, total = items.where(Incident.status == status), total.where(Incident.status == status)
    count = (await db.execute(total)).scalar_one()
    items = items.order_by(Incident.created_at.desc(), Incident.id.desc()).offset((page - 1) * 100).limit(100)
    return {
        "count": count,
        "results": (await db.execute(items)).scalars().all(),
        "next": str(request.url.include_query_params(page=page + 1)) if page * 100 < count else None,
        "previous": str(request.url.include_query_params(page=page - 1)) if page > 1 else None,
    }


@app.post("/api/v1/incidents/", response_model=Out, status_code=201)
async def create_incident(db: DB, user: CurrentUser, body: In):
    incident = Incident(**body.model_dump())
    db.add(incident)
    await db.commit()
    return incident


@app.get("/api/v1/incidents/{pk}/", response_model=Out)
async def get_incident(pk: int, db: DB, user: CurrentUser):
    return await find(db, pk)


@app.patch("/api/v1/incidents/{pk}/", response_model=Out)
async def change_incident(pk: int, db: DB, user: CurrentUser, body: Patch):
    incident = await find(db, pk)
    incident.status = body.status
    await db.commit()
    return incident
