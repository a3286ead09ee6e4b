//! A server that hears of the shutdown with the next client.
use tokio::net::TcpListener;
use tokio_ctx::Context;

pub async fn serve(ctx: &Context, listener: TcpListener) -> std::io::Result<()> {
    loop {
        let (socket, _) = listener.accept().await?; //~ waits
        greet(ctx, socket).await;
    }
}
