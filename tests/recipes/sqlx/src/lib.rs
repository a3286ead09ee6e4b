//! sqlx with SQLite under a context: see the test.
