//! Work on databases, against real servers; test names are the promises' words.

mod postgres;
mod sqlx;
