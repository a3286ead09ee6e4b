//! Work on databases under a context, where `tokio-ctx-db` has no feature for the driver: see the
//! tests.
