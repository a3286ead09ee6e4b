//! The runtime's handle is the same spawn by another name.
use tokio::runtime::Handle;
use tokio_ctx::Context;

pub async fn notify(ctx: &Context, user: u64) -> Result<(), Error> {
    let email = load_email(ctx, user).await?;
    Handle::current().spawn(async move { //~ started
        send_mail(email).await;
    });
    Ok(())
}
