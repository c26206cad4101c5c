"""The shared allowance of an environment: six token buckets, refilled at a constant rate of app time.

Three things are counted (requests, mutations, complexity), each over ten seconds and an hour. All
integrations of the environment draw on the same six. A call that one bucket cannot pay takes nothing from
any and is answered with 429 and the time at which to come back; who comes earlier makes the wait longer.

The reference publishes the quotas, the refill and the header. Inferred: that the price is known before the
call is run, that a single query dearer than a whole bucket passes when the bucket is full (it leaves a
debt), and how much an early call adds (one second).
"""

import math
from dataclasses import dataclass
from email.utils import formatdate

# plan -> requests, mutations, complexity; each as (ten seconds, one hour)
PLANS: dict[str, tuple[tuple[int, int], tuple[int, int], tuple[int, int]]] = {
    "Growth": ((60, 5_000), (20, 1_800), (250_000, 30_000_000)),
    "Enhanced": ((150, 20_000), (50, 4_500), (900_000, 90_000_000)),
    "High volume": ((450, 40_000), (150, 7_000), (1_800_000, 180_000_000)),
    "Enterprise": ((1_500, 85_000), (500, 25_000), (4_000_000, 400_000_000)),
}
_WINDOWS = (("TEN_SECONDS", 10), ("ONE_HOUR", 3_600))
_LONGEST_WAIT_SECONDS = 3_600.0
_EARLY_CALL_ADDS_SECONDS = 1.0


@dataclass(slots=True, eq=False)
class Bucket:
    """Tokens of one kind and window. `tokens` is below 0 after a query dearer than the whole bucket."""

    type: str
    interval: str
    seconds: int
    quota: int
    tokens: float
    filled_at: float

    def refill(self, now: float) -> None:
        if now > self.filled_at:
            self.tokens = min(self.quota, self.tokens + (now - self.filled_at) * self.quota / self.seconds)
            self.filled_at = now

    def ready_at(self, price: int) -> float:
        """App time at which the price can be paid; `filled_at` when it can be now."""
        missing = min(price, self.quota) - self.tokens
        # A hair of tolerance: refilling in many small steps must not leave a token at 0.999999.
        return self.filled_at + missing * self.seconds / self.quota if missing > 1e-6 else self.filled_at

    @property
    def remaining_quota(self) -> int:
        return max(0, math.floor(self.tokens + 1e-6))

    @property
    def used_quota(self) -> int:
        return self.quota - self.remaining_quota

    @property
    def interval_seconds(self) -> str:
        """The schema gives the window's name under this name."""
        return self.interval


@dataclass(frozen=True, slots=True)
class Wait:
    """A refusal: which bucket was short, and when to come back (app time, whole seconds)."""

    ceiling: str
    until: float


class Allowance:
    def __init__(self, plan: str, now: float) -> None:
        self.change_plan(plan, now)

    def change_plan(self, plan: str, now: float) -> None:
        """Full buckets of the named plan; ValueError for a name that is not published."""
        if plan not in PLANS:
            raise ValueError(f"no plan is called {plan!r}; there are {', '.join(PLANS)}")
        self.plan = plan
        requests, mutations, complexity = PLANS[plan]
        self.buckets: list[Bucket] = []
        for kind, quotas in (
            ("REQUEST_COUNT", requests),
            ("QUERY_COMPLEXITY", complexity),
            ("MUTATION_COUNT", mutations),
        ):
            for (name, seconds), quota in zip(_WINDOWS, quotas, strict=True):
                self.buckets.append(Bucket(kind, name, seconds, quota, float(quota), now))
        self._closed_until = 0.0
        self._short = ""

    def spend(self, now: float, *, requests: int, mutations: int, complexity: int) -> Wait | None:
        """Pays for one call, or returns the wait and takes nothing."""
        self.refill(now)
        if now < self._closed_until:
            later = self._closed_until + _EARLY_CALL_ADDS_SECONDS
            self._closed_until = min(later, now + _LONGEST_WAIT_SECONDS)
            return Wait(f"Retry-After ({self._short})", self._closed_until)
        prices = {"REQUEST_COUNT": requests, "MUTATION_COUNT": mutations, "QUERY_COMPLEXITY": complexity}
        slowest = max(self.buckets, key=lambda bucket: bucket.ready_at(prices[bucket.type]))
        ready_at = slowest.ready_at(prices[slowest.type])
        if ready_at > now:
            self._closed_until = float(math.ceil(ready_at))
            self._short = f"{slowest.type} {slowest.quota}/{slowest.seconds} s"
            return Wait(self._short, self._closed_until)
        for bucket in self.buckets:
            bucket.tokens -= prices[bucket.type]
        return None

    def consume(self, now: float, *, requests: int = 0, mutations: int = 0, complexity: int = 0) -> None:
        """Another integration's share; it takes what there is and no more."""
        self.refill(now)
        prices = {"REQUEST_COUNT": requests, "MUTATION_COUNT": mutations, "QUERY_COMPLEXITY": complexity}
        for bucket in self.buckets:
            bucket.tokens = min(bucket.tokens, max(0.0, bucket.tokens - prices[bucket.type]))

    def refill(self, now: float) -> None:
        for bucket in self.buckets:
            bucket.refill(now)


def retry_after_text(until: float, now: float, form: str) -> str:
    """The header: `unix` (seconds), `http_date` or `delta` (seconds from now)."""
    if form == "http_date":
        return formatdate(until, usegmt=True)
    if form == "delta":
        return str(max(0, math.ceil(until - now)))
    return str(math.ceil(until))
