//! Things called `spawn` that start no task of this process.
use tokio_ctx::Context;

pub async fn build(ctx: &Context, world: &mut World) -> Result<(), Error> {
    let mut child = Command::new("make").kill_on_drop(true).spawn()?;
    world.spawn(Sphere::default());
    self.actors.spawn(Sprite);
    ctx.run(child.wait()).await??;
    Ok(())
}
