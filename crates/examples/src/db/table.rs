//! The tables: how each is filled, and what a report asks of it.

use super::ROWS;

/// The days that the rows are spread over, and so the most that a report can cover.
pub(super) const HISTORY: u32 = 3_650;

/// The days that one point of the report sums up.
pub(super) const WINDOW: u32 = 30;

#[derive(Clone, Copy, Debug)]
pub(super) enum Table {
    Users,
    Orders,
    Payments,
}

impl Table {
    pub(super) fn name(self) -> &'static str {
        match self {
            Table::Users => "users",
            Table::Orders => "orders",
            Table::Payments => "payments",
        }
    }

    pub(super) fn schema(self) -> &'static str {
        match self {
            Table::Users => {
                "CREATE TABLE users (id INTEGER PRIMARY KEY, signed_up INTEGER, name TEXT);"
            }
            Table::Orders => {
                "CREATE TABLE orders (id INTEGER PRIMARY KEY, placed_on INTEGER,
                                      user_id INTEGER, total_cents INTEGER);"
            }
            Table::Payments => {
                "CREATE TABLE payments (id INTEGER PRIMARY KEY, booked_on INTEGER, details TEXT);"
            }
        }
    }

    /// The columns of row `i`, drawn from its hash `h`.
    pub(super) fn row(self) -> String {
        match self {
            Table::Users => format!("i, h % {HISTORY}, 'user ' || i"),
            Table::Orders => format!("i, h % {HISTORY}, h % {ROWS} + 1, 500 + h % 20000"),
            Table::Payments => {
                let details = r#"'{"method":"card","fee_cents":' || (h % 300) || '}'"#;
                format!("i, h % {HISTORY}, {details}")
            }
        }
    }

    /// The total of the window that ends with `day`. No index helps: each one reads every row.
    pub(super) fn total_up_to(self, day: &str) -> String {
        let (sum, column) = match self {
            Table::Users => ("count(*)", "signed_up"),
            Table::Orders => ("coalesce(sum(total_cents), 0)", "placed_on"),
            Table::Payments => (
                "coalesce(sum(json_extract(details, '$.fee_cents')), 0)",
                "booked_on",
            ),
        };
        let (table, before) = (self.name(), WINDOW - 1);
        format!("SELECT {sum} FROM {table} WHERE {column} BETWEEN {day} - {before} AND {day}")
    }
}
