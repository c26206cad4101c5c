"""Of several SKUs with one code the first has it, on a real database: however far apart they are read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from app.domain.ids import Sku
from app.policies.product_rules import shared_codes
from app.store import product_codes
from app.store.pool import connect

FR, SE = "demo-fr", "demo-se"
NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
EAN, OTHER = ("EAN", "7300000000011"), ("EAN", "7300000000028")
A, B, C = Sku("A"), Sku("B"), Sku("C")


async def test_the_first_keeps_a_code_until_it_lets_it_go(database_url: str) -> None:
    async with connect(database_url) as database, database.desk.acquire() as connection:
        bearers, freed = await product_codes.write(connection, FR, {A: {EAN}}, NOW)
        assert (bearers, freed) == ({EAN: {A: NOW}}, [])
        bearers, freed = await product_codes.write(connection, FR, {B: {EAN}, C: {OTHER}}, LATER)
        assert bearers == {EAN: {A: NOW, B: LATER}, OTHER: {C: LATER}}
        assert set(shared_codes({B: {EAN}, C: {OTHER}}, bearers, LATER)) == {B}
        assert await product_codes.write(connection, SE, {B: {EAN}}, LATER) == ({EAN: {B: LATER}}, []), "by channel"

        again, _ = await product_codes.write(connection, FR, {A: {EAN}}, LATER)
        assert again[EAN][A] == NOW, "it has it since it had it first"
        assert shared_codes({A: {EAN}}, again, LATER) == {}

        bearers, freed = await product_codes.write(connection, FR, {A: {OTHER}}, LATER + timedelta(hours=1))
        assert freed == [B]
        assert set(shared_codes({A: {OTHER}}, bearers, LATER)) == {A}
        bearers, freed = await product_codes.write(connection, FR, {B: {EAN}, C: set()}, LATER)
        assert (shared_codes({B: {EAN}}, bearers, LATER), freed) == ({}, [A])
        bearers, _ = await product_codes.write(connection, FR, {A: {EAN}}, LATER)
        assert set(shared_codes({A: {EAN}}, bearers, LATER)) == {A}, "what was let go is had since it is had again"
