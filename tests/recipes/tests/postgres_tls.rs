//! tokio-postgres through TLS: the cancel goes the same way as the query.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use deadpool_postgres::Manager;
use rustls::{ClientConfig, RootCertStore};
use servers::{Options, Postgres};
use tokio_ctx_core::Context;
use tokio_ctx_db::postgres::{CancelStream, Pool};
use tokio_postgres::Config;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres_rustls::MakeRustlsConnect;

/// Counts the cancels that go through TLS.
#[derive(Clone)]
struct Counting(MakeRustlsConnect, Arc<AtomicU32>);

impl MakeTlsConnect<CancelStream> for Counting {
    type Stream = <MakeRustlsConnect as MakeTlsConnect<CancelStream>>::Stream;
    type TlsConnect = <MakeRustlsConnect as MakeTlsConnect<CancelStream>>::TlsConnect;
    type Error = <MakeRustlsConnect as MakeTlsConnect<CancelStream>>::Error;

    fn make_tls_connect(&mut self, host: &str) -> Result<Self::TlsConnect, Self::Error> {
        self.1.fetch_add(1, Relaxed);
        MakeTlsConnect::<CancelStream>::make_tls_connect(&mut self.0, host)
    }
}

/// A certificate of its own for `localhost`, and a client that trusts no other.
fn certificate() -> Result<(String, String, MakeRustlsConnect), Box<dyn Error>> {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let mut roots = RootCertStore::empty();
    roots.add(own.cert.der().clone())?;
    let config =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
    Ok((
        own.cert.pem(),
        own.signing_key.serialize_pem(),
        MakeRustlsConnect::new(config),
    ))
}

#[tokio::test]
async fn a_query_through_tls_is_cancelled_through_tls() -> Result<(), Box<dyn Error>> {
    let (certificate, key, tls) = certificate()?;
    let options = Options::default().tls(&certificate, &key);
    let Some(server) = servers::or_skip(Postgres::start_with(options)) else {
        return Ok(());
    };
    let conninfo = server.conninfo().replace("127.0.0.1", "localhost");
    let mut config: Config = conninfo.parse()?;
    // Without TLS a connection fails, and so does a cancel.
    config.ssl_mode(tokio_postgres::config::SslMode::Require);
    let connections = deadpool_postgres::Pool::builder(Manager::new(config.clone(), tls.clone()))
        .max_size(1)
        .build()?;
    let through_tls = Arc::new(AtomicU32::new(0));
    let counting = Counting(tls, Arc::clone(&through_tls));
    let pool = Pool::new(connections, &config, counting);
    let root = Context::background();
    let mut db = pool.get(&root).await?;
    let sql = "select ssl, pid from pg_stat_ssl where pid = pg_backend_pid()";
    let row = db
        .under(&root, async |c| c.query_one(sql, &[]).await)
        .await??;
    assert!(row.get::<_, bool>(0));
    let session: i32 = row.get(1);

    let soon = root.with_timeout(Duration::from_millis(100));
    let sleep = db.under(&soon, async |c| {
        c.batch_execute("select pg_sleep(600)").await
    });
    let error = sleep.await.unwrap_err();
    assert!(
        error.cancelled().is_some_and(|why| why.is_timeout()),
        "{error}"
    );

    let counts = pool.counts();
    assert_eq!((counts.cleaned, counts.lost()), (1, 0), "{counts:?}");
    assert_eq!(u64::from(through_tls.load(Relaxed)), counts.cancels);
    // It is the same session, and nothing of the query is left.
    let sql = "select pg_backend_pid()";
    let row = db
        .under(&root, async |c| c.query_one(sql, &[]).await)
        .await??;
    assert_eq!(row.get::<_, i32>(0), session);
    Ok(())
}
