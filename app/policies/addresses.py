"""From a marketplace's address to one that Centra and a carrier can use, without losing a word, or not at all.

Nothing is cut, guessed or repaired (field cases 24, 29, 30, 32): what does not fit is held with a reason that names
the member and never what the buyer wrote.
"""

from __future__ import annotations

import hashlib
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, replace

from app.domain.ids import OrderId
from app.domain.orders import Address, Buyer, CentraAddress
from app.policies.countries import alpha2, fold, postcode_fits, state_fits

_WIPED = frozenset({"anonymized", "anonymised", "anonymous", "anonyme", "anonymisiert", "anonymise"})
"""Folded, so that "Anonymisé" is among them."""
_FILLERS = frozenset({"n/a", "n.a.", "#n/a", "undefined"})
"""As written and not folded: Na is a family name. So is Null."""


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """What a channel decides about addresses. `phone_required`: countries (alpha-2) whose carrier demands a phone."""

    line_length: int = 255
    phone_required: frozenset[str] = frozenset()
    fallback_phone: str = ""
    civility: bool = False
    """Whether "Mme" and the like stand before the first name."""


@dataclass(frozen=True, slots=True)
class Unmappable:
    """It can't become an order in Centra; held with this reason, in which no buyer data stands."""

    reason: str


def deliverable(buyer: Buyer, address: Address | None, email: str, policy: AddressPolicy) -> CentraAddress | Unmappable:
    """The address as Centra takes it: street on the first line, what helps to find the door on the second.

    Every word of every member is kept, in order. Of two phones the first usable one is, of the country its code.
    """
    if address is None:
        return Unmappable("delivery address: the marketplace does not show it yet")
    if not _street(address):
        return Unmappable("delivery address: no street")
    lines = _lines(address, policy.line_length)
    if lines is None:
        return Unmappable("delivery address: street, additions and company are too long for Centra's lines")
    company, street, addition = lines
    first, last = _person(buyer, address, company, policy)
    country = alpha2(address.country_code, address.country) or ""
    mapped = CentraAddress(
        first_name=first,
        last_name=last,
        address=street,
        co_address=addition,
        zip_code=_said(address.zip_code),
        city=_said(address.city),
        state=_said(address.state),
        country=country,
        email=email,
        phone=_phone(address.phone) or _phone(address.phone_secondary) or policy.fallback_phone,
        company=company,
    )
    fault = next(_faults(mapped, policy), None)
    return Unmappable(f"delivery address: {fault}") if fault else mapped


def split_addresses(
    buyer: Buyer, email: str, policy: AddressPolicy
) -> tuple[CentraAddress, CentraAddress] | Unmappable:
    """Delivery and invoice address of an order.

    A billing address that can't be used gives way to the delivery address: the parcel has a deadline, no goods travel
    to the invoice address, and the marketplace has the one the buyer gave.
    """
    delivery = deliverable(buyer, buyer.shipping, email, policy)
    if isinstance(delivery, Unmappable):
        return delivery
    invoice = deliverable(buyer, buyer.billing, email, replace(policy, phone_required=frozenset()))
    return delivery, delivery if isinstance(invoice, Unmappable) else invoice


def is_anonymised(buyer: Buyer) -> bool:
    """Whether the marketplace has wiped this buyer (field case 34): such a reading must never replace an earlier one.

    A name that says so, or addresses of which each has lost both street and city. A hidden address is none of these.
    """
    given = [address for address in (buyer.shipping, buyer.billing) if address is not None]
    names = [buyer.firstname, buyer.lastname, *(name for a in given for name in (a.firstname, a.lastname))]
    if any(fold(name) in _WIPED for name in names):
        return True
    return bool(given) and not any(_street(address) or _said(address.city) for address in given)


def email_for(order_id: OrderId, relay: str, domain: str = "orders.invalid") -> str:
    """The relay address as given; where there is none, an address of this order's own that leads nowhere.

    One for each order: buyers who share an address would be merged into one customer (field case 33).
    """
    if "@" in relay:
        return relay.strip()
    return f"{hashlib.sha256(order_id.encode()).hexdigest()[:24]}@{domain}"


def _said(text: str) -> str:
    """A member with single blanks; empty when it only fills a field ("-", "N/A", "ANONYMIZED")."""
    said = " ".join(text.split())
    empty = said.casefold() in _FILLERS or fold(said) in _WIPED or not any(sign.isalnum() for sign in said)
    return "" if empty else said


def _name(text: str) -> str:
    """A person's name; figures and marks alone are none."""
    return _said(text) if any(sign.isalpha() for sign in text) else ""


def _phone(text: str) -> str:
    """A phone number as written; empty for what can't be one: too short, one digit throughout, zeros at the end."""
    digits = [sign for sign in text if sign.isdigit()]
    real = len(digits) >= 5 and len(set(digits)) > 1 and set(digits[3:]) != {"0"}
    return _said(text) if real else ""


def _street(address: Address) -> str:
    return _said(address.street_1) or _said(address.street_2)


def _person(buyer: Buyer, address: Address, company: str, policy: AddressPolicy) -> tuple[str, str]:
    """First and last name: the address's, else the customer's, else the company's.

    A single name is the last name. A company without a person is its own consignee, since carriers demand a name; it
    stays in the company's line too. The customer's first name is not put before the address's last name: it may be
    somebody else's parcel.
    """
    for civility, firstname, lastname in (
        (address.civility, address.firstname, address.lastname),
        (buyer.civility, buyer.firstname, buyer.lastname),
    ):
        names = [name for name in (_name(firstname), _name(lastname)) if name]
        if names:
            title = _said(civility) if policy.civility else ""
            return " ".join(part for part in (title, *names[:-1]) if part), names[-1]
    return "", company


def _lines(address: Address, length: int) -> tuple[str, str, str] | None:
    """Company, street and addition, each at most `length` characters; None when they do not hold it all.

    What is too long for its line goes on in the next one, at a blank. House numbers are never taken apart from their
    streets, and a company that is too long goes on after the street.
    """
    company, *rest = _wrapped(_joined(_said(address.company), _said(address.company_2)), length) or [""]
    members = (address.street_1, address.street_2, address.additional_info, address.internal_additional_info)
    street, *additions = [said for member in members if (said := _said(member))]
    addition = _joined(" ".join(rest), *additions)
    if max(len(street), len(addition)) > length:
        street, *rest = _wrapped(_joined(street, addition), length)
        addition = " ".join(rest)
    return None if max(map(len, (company, street, addition))) > length else (company, street, addition)


def _joined(*texts: str) -> str:
    return ", ".join(text for text in texts if text)


def _wrapped(text: str, length: int) -> list[str]:
    return textwrap.wrap(text, length, break_long_words=False, break_on_hyphens=False)


def _faults(mapped: CentraAddress, policy: AddressPolicy) -> Iterator[str]:
    """What keeps a parcel from arriving, in words without the buyer's."""
    country = mapped.country
    if not country:
        yield "no country, or one that is not known"
    if not mapped.city:
        yield "no city"
    if not mapped.last_name:
        yield "no name of a person or a company"
    if not postcode_fits(country, mapped.zip_code):
        yield f"postcode does not fit {country}" if mapped.zip_code else f"no postcode, and {country} needs one"
    if not state_fits(country, mapped.state):
        yield f"state is not one of {country}" if mapped.state else f"no state, and {country} needs one"
    if country in policy.phone_required and not mapped.phone:
        yield f"no usable phone number, and {country} needs one"
    for member, text in (
        ("first name", mapped.first_name),
        ("last name", mapped.last_name),
        ("city", mapped.city),
        ("postcode", mapped.zip_code),
        ("state", mapped.state),
        ("phone", mapped.phone),
    ):
        if len(text) > policy.line_length:
            yield f"{member} is too long"
