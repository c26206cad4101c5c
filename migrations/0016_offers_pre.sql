-- Stock by the marketplace's warehouse codes: {code: units}, those without units left out. NULL: one figure for all, or
-- the marketplace shows no warehouses.
ALTER TABLE offer ADD COLUMN stock_confirmed_apart jsonb;
ALTER TABLE offer ADD COLUMN live_apart jsonb;

-- Codes that are to be unique on a marketplace (EAN), as a channel's products bear them, each since it was first seen so:
-- of several SKUs with one code the first has it.
CREATE TABLE product_code (
    scope text NOT NULL,
    kind text NOT NULL,                                      -- as the marketplace names it
    code text NOT NULL,
    sku text NOT NULL,
    since timestamptz NOT NULL,
    gone_at timestamptz,                                     -- it bears it no more
    PRIMARY KEY (scope, kind, code, sku)
);
CREATE INDEX product_code_sku ON product_code (scope, sku);

INSERT INTO product_code (scope, kind, code, sku, since)
SELECT DISTINCT p.scope, a ->> 'unique_code', p.body -> 'values' ->> (a ->> 'code'), p.key, coalesce(p.confirmed_at, p.since)
FROM publication AS p
JOIN mirror AS m ON m.scope = p.scope AND m.name = 'PM11'
CROSS JOIN LATERAL jsonb_array_elements(m.body) AS a
WHERE p.kind = 'products' AND a ->> 'unique_code' <> '' AND p.body -> 'values' ->> (a ->> 'code') <> '';
