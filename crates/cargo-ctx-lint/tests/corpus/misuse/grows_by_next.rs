//! Assigned by way of another name.
use tokio_ctx::Context;

pub async fn steps(ctx: &Context, steps: Vec<Step>) -> Result<(), Error> {
    let mut current = ctx.clone();
    for step in steps {
        let next = current.with_value::<StepId>(step.id);
        step.run(&next).await?;
        current = next; //~ grows
    }
    Ok(())
}
