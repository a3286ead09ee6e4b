//! Parameters that are contexts in disguise.
use std::rc::Rc;
use std::sync::Arc;
use tokio_ctx::{CancelGuard, Context};

async fn optional(ctx: Option<&Context>, key: &str) {} //~ context-parameter-type
async fn guard(guard: &CancelGuard) {} //~ context-parameter-type
async fn guard_mut(guard: &mut CancelGuard) {} //~ context-parameter-type
async fn shared(ctx: Arc<Context>) {} //~ context-parameter-type
async fn counted(ctx: &Rc<Context>) {} //~ context-parameter-type
fn mutable(ctx: &mut Context) {} //~ context-parameter-type
pub fn packed(call: (Context, u64)) {} //~ context-parameter-type

trait Store {
    fn get(&self, ctx: Option<&Context>) -> Row; //~ context-parameter-type
}
