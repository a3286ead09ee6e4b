//! Exceptions with reasons, in every place one can stand.
use tokio_ctx::{Context, key};

struct Server {
    // ctx-lint: allow(context-in-struct) the server's own lifetime, ended by `stop`
    lifetime: Context,
    name: String,
}

// ctx-lint: allow(context-in-struct): both fields belong to one connection
/// A connection.
#[derive(Clone)]
struct Connection {
    read: Context,
    write: Context,
}

async fn handle(ctx: &Context, url: &str) {
    tokio::spawn(audit(url)); // ctx-lint: allow(bare-spawn) the audit log must see every request
    // ctx-lint: allow(bare-timer, bare-spawn) hardware needs the full pause, and the probe is
    // never waited for
    {
        tokio::time::sleep(PAUSE).await;
        tokio::spawn(probe());
    }
    let text = "// ctx-lint: allow(nonsense)";
    let raw = r#"quoted " // ctx-lint: allow"#;
}

/// Write `// ctx-lint: allow(rule) reason` to except a line.
fn documented() {}

key! {
    // ctx-lint: allow(secret-key-prints) a hash, and only its first bytes
    pub TokenHash: String, print;
}
