"""The operator's catalogue as a shop reads it: H11, PM11, VL11, CH11, CUR01, L01, SH31.

Which of the two seeds a marketplace has is the config's `catalogue` (`fr` or `se`), else the end of its id says it.
The admin changes it while it runs: POST /_sandbox/catalogue.

A category's attributes are its own and those of its parents; `hierarchy` in H11 and PM11 chooses a category, its
parents and its children down to `max_level` below it. PM11 leaves out DISABLED attributes unless
`all_operator_attributes` is asked for, and with `with_roles` all that have no role.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.sandbox.mirakl.answers import Json, Refused
from app.sandbox.mirakl.catalogue_seeds import SEEDS, Seed
from app.sandbox.mirakl.tables import write_table

_CSV_COLUMNS = (
    *("code", "label", "description", "hierarchy-code", "type", "type-parameters", "requirement-level", "required"),
    *("variant", "unique-code", "locale", "channels", "validations", "transformations", "roles", "example"),
)


@dataclass(frozen=True, slots=True)
class Category:
    code: str
    label: str
    parent: str
    level: int


@dataclass(frozen=True, slots=True)
class Attribute:
    """As PM11 shows it. `validations` are names and arguments, `type_parameters` LIST_CODE and the like."""

    code: str
    label: str
    type: str
    requirement_level: str
    hierarchy: str = ""
    type_parameters: dict[str, str] = field(default_factory=dict)
    variant: bool = False
    unique_code: str | None = None
    locale: str | None = None
    channels: tuple[str, ...] = ()
    validations: str = ""
    role: str | None = None

    @property
    def rules(self) -> list[tuple[str, str]]:
        """`MIN_LENGTH|3,MAX_LENGTH|80` by name and argument."""
        pairs = (rule.partition("|") for rule in self.validations.split(",") if rule)
        return [(name, argument) for name, _, argument in pairs]


class Catalogue:
    def __init__(self, seed: Seed) -> None:
        self.locale = seed.locale
        self.locales = dict(seed.locales)
        self.channels = dict(seed.channels)
        self.logistic_classes = dict(seed.logistic_classes)
        self.values = {code: dict(values) for code, values in seed.values.items()}
        self.categories: dict[str, Category] = {}
        self.attributes: dict[tuple[str, str], Attribute] = {}
        self._leaves: frozenset[str] | None = None
        self._of_category: dict[str, tuple[Attribute, ...]] = {}
        self._by_role: dict[str, Attribute] = {}
        for code, label, parent in seed.hierarchies:
            self.put_category({"code": code, "label": label, "parent_code": parent})
        for hierarchy, rows in seed.attributes.items():
            for code, label, kind, requirement, more in rows:
                self._put(Attribute(code, label, kind, requirement, hierarchy, **more))

    def put_category(self, members: dict[str, Any]) -> None:
        """Creates or renames one; KeyError when its parent is unknown."""
        parent = str(members.get("parent_code", ""))
        level = self.categories[parent].level + 1 if parent else 1
        code = str(members["code"])
        self.categories[code] = Category(code, str(members.get("label", code)), parent, level)
        self._forget()

    def put_attribute(self, members: dict[str, Any]) -> None:
        """Creates one, or changes the members that are given; TypeError for a member it does not have."""
        code, hierarchy = str(members["code"]), str(members.get("hierarchy", ""))
        known = self.attributes.get((hierarchy, code))
        known = known or Attribute(code, code, "TEXT", "OPTIONAL", hierarchy)
        self._put(replace(known, **members))

    def _put(self, attribute: Attribute) -> None:
        self.attributes[attribute.hierarchy, attribute.code] = attribute
        self._forget()

    def _forget(self) -> None:
        """What was derived from the categories and attributes that just changed."""
        self._leaves = None
        self._of_category.clear()
        self._by_role.clear()

    def close_category(self, code: str) -> None:
        """It and its children are gone; KeyError when there is none."""
        self.categories.pop(code)
        self._forget()
        for child in [c.code for c in self.categories.values() if c.parent == code]:
            self.close_category(child)

    def lineage(self, code: str) -> list[str]:
        """A category and its parents, itself first; KeyError when it is unknown."""
        category = self.categories[code]
        return [code, *(self.lineage(category.parent) if category.parent else ())]

    def is_leaf(self, code: str) -> bool:
        if self._leaves is None:
            self._leaves = frozenset(self.categories) - {category.parent for category in self.categories.values()}
        return code in self._leaves

    def attributes_of(self, code: str) -> tuple[Attribute, ...]:
        """What a product of the category is described by, the nearest definition of each; DISABLED ones left out."""
        if code in self._of_category:
            return self._of_category[code]
        found: dict[str, Attribute] = {}
        for hierarchy in ["", *reversed(self.lineage(code))]:
            found |= {a.code: a for a in self.attributes.values() if a.hierarchy == hierarchy}
        self._of_category[code] = tuple(a for a in found.values() if a.requirement_level != "DISABLED")
        return self._of_category[code]

    def with_role(self, role: str) -> Attribute:
        if role not in self._by_role:
            self._by_role[role] = next(a for a in self.attributes.values() if a.role == role)
        return self._by_role[role]

    async def h11(self, request: Request) -> Json:
        chosen = self._chosen(request)
        shown = [self._shown_category(category) for category in self.categories.values() if category.code in chosen]
        return Json({"hierarchies": shown})

    async def pm11(self, request: Request) -> Json | Response:
        chosen, query = {"", *self._chosen(request)}, request.query_params
        everything, roles = query.get("all_operator_attributes") == "true", query.get("with_roles") == "true"
        attributes = [
            attribute
            for attribute in self.attributes.values()
            if attribute.hierarchy in chosen
            and (everything or attribute.requirement_level != "DISABLED")
            and (attribute.role is not None or not roles)
        ]
        shown = [self._shown_attribute(attribute) for attribute in attributes]
        if "text/csv" not in request.headers.get("accept", ""):
            return Json({"attributes": shown})
        rows = [[_cell(attribute[name.replace("-", "_")]) for name in _CSV_COLUMNS] for attribute in shown]
        return Response(write_table([_CSV_COLUMNS, *rows]), media_type="text/csv")

    async def vl11(self, request: Request) -> Json:
        code = request.query_params.get("code")
        if code is not None and code not in self.values:
            raise Refused(404, f"No values list with code '{code}'")
        lists = [
            {
                "code": name,
                "label": name,
                "label_translations": self._translated(name),
                "values": [
                    {"code": value, "label": label, "label_translations": self._translated(label)}
                    for value, label in values.items()
                ],
            }
            for name, values in self.values.items()
            if code in (None, name)
        ]
        return Json({"values_lists": lists})

    def shown_channels(self) -> dict[str, Any]:
        return {"channels": _described(self.channels)}

    def shown_logistic_classes(self) -> dict[str, Any]:
        return {"logistic_classes": _described(self.logistic_classes)}

    def shown_locales(self) -> dict[str, Any]:
        rows = [{"code": c, "label": t, "platform_default": c == self.locale} for c, t in self.locales.items()]
        return {"locales": rows}

    def _chosen(self, request: Request) -> frozenset[str]:
        """The codes of the categories that a call is about."""
        wanted, depth = request.query_params.get("hierarchy"), request.query_params.get("max_level")
        if depth is not None and not depth.isdecimal():
            raise Refused(400, "Error with parameter max_level. Please check its type.")
        if not wanted:
            below = None if depth is None else int(depth)
            return frozenset(c.code for c in self.categories.values() if below is None or c.level <= below)
        if wanted not in self.categories:
            raise Refused(404, f"No hierarchy with code '{wanted}'")
        lowest = None if depth is None else self.categories[wanted].level + int(depth)
        children = (
            c.code
            for c in self.categories.values()
            if wanted in self.lineage(c.code) and (lowest is None or c.level <= lowest)
        )
        return frozenset([*children, *self.lineage(wanted)])

    def _shown_category(self, category: Category) -> dict[str, Any]:
        return {
            "code": category.code,
            "label": category.label,
            "label_translations": self._translated(category.label),
            "level": category.level,
            "parent_code": category.parent,
        }

    def _shown_attribute(self, attribute: Attribute) -> dict[str, Any]:
        parameters = [{"name": name, "value": value} for name, value in attribute.type_parameters.items()]
        return {
            "channels": [{"code": code} for code in attribute.channels],
            "code": attribute.code,
            "description": None,
            "description_translations": [],
            "example": None,
            "hierarchy_code": attribute.hierarchy,
            "label": attribute.label,
            "label_translations": self._translated(attribute.label),
            "locale": attribute.locale,
            "required": attribute.requirement_level == "REQUIRED",
            "requirement_level": attribute.requirement_level,
            "roles": [{"type": attribute.role, "parameters": []}] if attribute.role else [],
            "transformations": None,
            "type": attribute.type,
            "type_parameter": next(iter(attribute.type_parameters.values()), None),
            "type_parameters": parameters,
            "unique_code": attribute.unique_code,
            "validations": attribute.validations or None,
            "values_list": attribute.type_parameters.get("LIST_CODE"),
            "variant": attribute.variant,
        }

    def _translated(self, label: str) -> list[dict[str, str]]:
        return [{"locale": self.locale, "value": label}]


def seed_of(config: dict[str, Any]) -> Seed:
    """The seed that the config of a marketplace asks for; ValueError when there is no such."""
    name = str(config.get("catalogue") or ("se" if str(config.get("id", "")).endswith("-se") else "fr"))
    if name not in SEEDS:
        raise ValueError(f"catalogue is one of {', '.join(SEEDS)}")
    return SEEDS[name]


def currencies(platform: str, others: Iterable[str]) -> dict[str, Any]:
    """The answer of CUR01."""
    codes = dict.fromkeys([platform, *others])
    return {"currencies": [{"code": code, "label": code, "platform_default": code == platform} for code in codes]}


def _described(labels: dict[str, str]) -> list[dict[str, str]]:
    return [{"code": code, "label": label, "description": ""} for code, label in labels.items()]


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ",".join("|".join(str(part) for part in item.values() if part != []) for item in value)
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
