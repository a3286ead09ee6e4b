//! Work on databases under a context, where `tokio-ctx-db` has no feature for the driver, and TLS:
//! see the tests.
