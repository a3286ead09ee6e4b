//! Work on databases that need no server; test names are the promises' words. The others are in
//! `tests/databases` of the repository.
#![cfg(feature = "rusqlite-0_41")]

mod sqlite;
