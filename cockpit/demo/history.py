"""The shop's history: what each commit changes.

Four commits are bad, each in its own way, and the next one of the same service repairs it: `data` cannot be built,
`stripe` exits at once, `stock` never becomes healthy, `tax` passes its checks and fails customers 20 s later.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

HOUR = 3600.0
DAY = 24 * HOUR
SERVICES = ("web", "checkout")

MAYA = ("Maya Okafor", "maya@shop.example")
JONAS = ("Jonas Weber", "jonas@shop.example")
PRIYA = ("Priya Nair", "priya@shop.example")
TOMASZ = ("Tomasz Zieliński", "tomasz@shop.example")


@dataclass(frozen=True, slots=True)
class Change:
    """One commit. `files` maps a path to its new content, None removes it."""

    name: str  # how the demo refers to it
    author: tuple[str, str]
    before_now: float  # seconds
    subject: str
    files: dict[str, str | None]


def _app(name: str, service: str) -> str:
    return files("cockpit.demo").joinpath("app", name).read_text("utf-8").replace("@SERVICE@", service)


def base(service: str) -> dict[str, str | None]:
    return {
        **{f"{service}/{name}": _app(name, service) for name in ("Dockerfile", "start", "log.awk", "Caddyfile")},
        f"{service}/conf/settings.sh": "PRICES=prices.csv\n",
        f"{service}/conf/ready.caddy": _READY,
        f"{service}/prices.csv": _prices(service),
    }


def _prices(service: str, extra: tuple[str, ...] = ()) -> str:
    goods = ("mug,12.50", "poster,18.00", "tote bag,15.90", "notebook,9.90") if service == "web" else ("parcel,4.90",)
    return "\n".join(("article,price", *goods, *extra, ""))


_READY = """# The load balancer asks here whether we can serve.
log_skip /up
respond /up 200
"""

_READY_WITH_STOCK = """# The load balancer asks here whether we can serve: not without the stock.
@up path /up
log_append @up why "inventory: cannot reach inventory.internal:5432: no such host"
error @up "waiting for inventory" 503
"""

_READY_FROM_CACHE = """# The load balancer asks here whether we can serve. Stock may be a minute old.
log_skip /up
respond /up 200
"""

_PAYMENT_FROM_ENVIRONMENT = """PRICES=prices.csv

# Payment keys come from the environment, never from a file.
if [ -z "${STRIPE_KEY+set}" ]; then
    echo 'Traceback (most recent call last):'
    echo '  File "/app/payments.py", line 12, in <module>'
    echo '    stripe.api_key = os.environ["STRIPE_KEY"]'
    echo "KeyError: 'STRIPE_KEY'"
    exit 1
fi
"""

_PAYMENT_FROM_VAULT = """PRICES=prices.csv

# Payment keys come from the environment, and from the vault where it has none.
STRIPE_KEY="${STRIPE_KEY:-vault:payments/stripe}"
"""

# Three customers in ten get a connection that nobody gave back, once the pool has run dry.
_TAX_POOL = """# Connections to the tax service are kept open between orders.
@dry `!({http.request.uri.path} == "/up") && int({time.now.unix}) - int({env.BORN}) >= 20 && \
{http.request.uuid} < "4d"`
log_append @dry why "tax: connection pool exhausted (20 of 20 in use)"
error @dry "tax: connection pool exhausted" 500
"""

_TAX_POOL_RETURNED = """# Connections to the tax service are kept open between orders, and go back after each.
header /tax Cache-Control "max-age=60"
"""

_README = "# shop\n\n`web` shows the goods, `checkout` takes the money.\n"

CHANGES = (
    Change("start", MAYA, 9 * DAY, "Open the shop", {"README.md": _README} | base(SERVICES[0]) | base(SERVICES[1])),
    Change("gift", JONAS, 8.1 * DAY, "Sell gift cards", {"web/prices.csv": _prices("web", ("gift card,25.00",))}),
    Change(
        "express",
        PRIYA,
        7.4 * DAY,
        "Offer express parcels",
        {"checkout/prices.csv": _prices("checkout", ("express,9.90",))},
    ),
    Change(
        "headers",
        TOMASZ,
        30 * HOUR,
        "Send no referrer to other sites",
        {"web/conf/privacy.caddy": 'header Referrer-Policy "same-origin"\n'},
    ),
    Change(
        "declined",
        PRIYA,
        28 * HOUR,
        "Say which card was declined",
        {"checkout/conf/declined.caddy": 'header /declined X-Reason "card"\n'},
    ),
    Change(
        "data",
        JONAS,
        26 * HOUR,
        "Keep the price list with the other data",
        {
            "web/prices.csv": None,
            "web/data/prices.csv": _prices("web", ("gift card,25.00",)),
            "web/conf/settings.sh": "PRICES=data/prices.csv\n",
        },
    ),
    Change(
        "data-fix",
        MAYA,
        25.5 * HOUR,
        "Ship the data directory",
        {"web/Dockerfile": _app("Dockerfile", "web").replace("COPY prices.csv ./", "COPY data ./data")},
    ),
    Change(
        "stripe",
        TOMASZ,
        22 * HOUR,
        "Read the payment key from the environment",
        {"checkout/conf/settings.sh": _PAYMENT_FROM_ENVIRONMENT},
    ),
    Change(
        "stripe-fix",
        PRIYA,
        21 * HOUR,
        "Look for the payment key in the vault too",
        {"checkout/conf/settings.sh": _PAYMENT_FROM_VAULT},
    ),
    Change(
        "hours",
        MAYA,
        9 * HOUR,
        "Answer mail on Saturdays as well",
        {
            "README.md": _README + "\nMail is answered from Monday to Saturday.\n",
            "web/conf/hours.caddy": 'header /contact X-Hours "Mo-Sa"\n',
            "checkout/conf/hours.caddy": 'header /contact X-Hours "Mo-Sa"\n',
        },
    ),
    Change(
        "stock", JONAS, 7 * HOUR, "Be ready only when the stock is known", {"web/conf/ready.caddy": _READY_WITH_STOCK}
    ),
    Change(
        "stock-fix",
        TOMASZ,
        6.5 * HOUR,
        "Take the stock from the cache at the start",
        {"web/conf/ready.caddy": _READY_FROM_CACHE},
    ),
    Change("tax", MAYA, 3 * HOUR, "Keep connections to the tax service open", {"checkout/conf/tax.caddy": _TAX_POOL}),
    Change(
        "tax-fix",
        PRIYA,
        2 * HOUR,
        "Give connections back after each order",
        {"checkout/conf/tax.caddy": _TAX_POOL_RETURNED},
    ),
    Change(
        "wrap",
        JONAS,
        0.6 * HOUR,
        "Offer gift wrapping",
        {"checkout/prices.csv": _prices("checkout", ("express,9.90", "gift wrapping,3.50"))},
    ),
)
