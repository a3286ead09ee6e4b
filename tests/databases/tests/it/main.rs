//! Work on databases, against real servers; test names are the promises' words.

mod cuts;
mod postgres;
mod sqlx;
