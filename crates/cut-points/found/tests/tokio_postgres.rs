//! tokio-postgres 0.7.18.

use cut_points::{DelayProxy, World, world};
use cut_points_found::{finds, holds, ms, postgres};
use tokio::sync::Mutex;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

fn client(proxy: &DelayProxy) -> World<Mutex<Client>> {
    let port = proxy.address().port();
    let setup = async move || {
        let mut config = Config::new();
        config
            .host("127.0.0.1")
            .port(port)
            .user("postgres")
            .dbname("postgres");
        let (client, connection) = config.connect(NoTls).await.expect("the server is there");
        tokio::spawn(connection);
        Mutex::new(client)
    };
    world(setup).real_time().settle(ms(20))
}

fn proxy() -> DelayProxy {
    DelayProxy::start(postgres(), ms(4)).expect("a proxy")
}

#[test]
fn prepare_leaves_its_statement_on_the_server() {
    const LEFT: &str = "select name from pg_prepared_statements where statement like '%41%'";
    let proxy = proxy();
    finds(
        "a statement is left",
        "tokio-postgres-0.7.18/src/prepare.rs",
        || {
            client(&proxy)
                .once()
                .check(async |client: &Mutex<Client>| {
                    let left = client
                        .lock()
                        .await
                        .simple_query(LEFT)
                        .await
                        .expect("an answer");
                    let is_row = |message: &&_| matches!(message, SimpleQueryMessage::Row(_));
                    assert_eq!(left.iter().filter(is_row).count(), 0, "a statement is left");
                })
                .drop_everywhere(async |client: &Mutex<Client>| {
                    let client = client.lock().await;
                    drop(client.prepare("select $1::int + 41").await?);
                    client.simple_query("select 1").await.map(drop) // until it is closed
                })
        },
    );
}

#[test]
fn a_transaction_holds() {
    let proxy = proxy();
    let report = client(&proxy).drop_everywhere(async |client: &Mutex<Client>| {
        let mut client = client.lock().await;
        let transaction = client.transaction().await?;
        transaction.query_one("select $1::int", &[&1_i32]).await?;
        transaction.rollback().await
    });
    holds(&report);
}
