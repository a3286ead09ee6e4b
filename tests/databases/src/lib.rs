//! `tokio-ctx-db` against real servers: the tests of its promises, and a storm of cancels.
