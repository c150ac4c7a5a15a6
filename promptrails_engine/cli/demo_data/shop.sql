-- The shop of the demo: what its lookup tool reads.
CREATE TABLE products (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    price_eur REAL NOT NULL,
    in_stock INTEGER NOT NULL,
    restock_date TEXT,
    details TEXT NOT NULL
);

CREATE TABLE orders (
    number TEXT PRIMARY KEY,
    customer TEXT NOT NULL,
    product_id INTEGER NOT NULL REFERENCES products (id),
    quantity INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('processing', 'shipped', 'delivered', 'cancelled', 'returned')),
    ordered_on TEXT NOT NULL,
    arrives_on TEXT,
    carrier TEXT,
    refund TEXT NOT NULL CHECK (refund IN ('none', 'requested', 'paid'))
);

INSERT INTO products (id, name, price_eur, in_stock, restock_date, details) VALUES
    (1, 'Trail Tent', 189.00, 14, NULL, 'tent for two, 2.1 kg, waterproof to 3000 mm'),
    (2, 'Down Sleeping Bag', 149.50, 0, '2026-03-18', 'goose down, comfortable to -4 C, 0.9 kg'),
    (3, 'Camp Stove', 54.90, 37, NULL, 'gas stove, boils a litre in 4 minutes, gas not included'),
    (4, 'Headlamp', 32.00, 120, NULL, '400 lumens, USB-C, 40 hours on low'),
    (5, 'Rain Jacket', 119.00, 6, NULL, 'sizes S to XXL, 3 layers, machine wash at 30 C'),
    (6, 'Hiking Boots', 164.00, 0, '2026-04-02', 'sizes 36 to 47, leather, can be resoled'),
    (7, 'Water Filter', 45.00, 58, NULL, 'filters 1000 litres, 0.1 micron, 65 g'),
    (8, 'Trekking Poles', 69.00, 22, NULL, 'carbon, pair, 62 to 135 cm, 420 g');

INSERT INTO orders (number, customer, product_id, quantity, status, ordered_on, arrives_on, carrier, refund) VALUES
    ('4021', 'Maren Holt', 1, 1, 'shipped', '2026-02-24', '2026-03-05', 'DHL', 'none'),
    ('4022', 'Piotr Nowak', 4, 2, 'delivered', '2026-02-20', '2026-02-25', 'UPS', 'none'),
    ('4035', 'Lucia Ferrer', 6, 1, 'processing', '2026-03-01', NULL, NULL, 'none'),
    ('4047', 'Jonas Weber', 3, 1, 'shipped', '2026-02-27', '2026-03-06', 'DHL', 'none'),
    ('4058', 'Aylin Demir', 5, 1, 'returned', '2026-02-10', '2026-02-14', 'UPS', 'requested'),
    ('4063', 'Tom Okafor', 7, 3, 'delivered', '2026-02-18', '2026-02-22', 'DHL', 'none'),
    ('4071', 'Sofia Rossi', 8, 1, 'returned', '2026-02-05', '2026-02-09', 'UPS', 'paid'),
    ('4080', 'Ben Carver', 2, 1, 'processing', '2026-03-02', NULL, NULL, 'none'),
    ('4094', 'Hanna Lind', 5, 1, 'delivered', '2026-02-21', '2026-02-26', 'DHL', 'none'),
    ('4102', 'Camille Roy', 1, 1, 'cancelled', '2026-02-28', NULL, NULL, 'requested'),
    ('4116', 'Victor Sand', 4, 1, 'shipped', '2026-03-02', '2026-03-07', 'UPS', 'none'),
    ('4125', 'Noor Haddad', 3, 2, 'delivered', '2026-02-23', '2026-02-27', 'DHL', 'none');
