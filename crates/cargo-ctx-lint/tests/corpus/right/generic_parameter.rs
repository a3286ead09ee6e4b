//! A type parameter of that name.
use tokio_ctx::*;

struct Machine<Context> {
    state: Context,
}

fn run<Context>(machine: Machine<Context>, state: Context) {}

impl<Context> Machine<Context> {
    fn step(&self, input: u32, value: Context) {}
}

trait Host {
    type Context;
    fn enter(&self, depth: u32, value: Self::Context);
}
