//! An isolated task whose error cannot be printed: nobody could be told of it.

use spawn_scoped::{Spawner, Task};

struct Broken;

fn start(tasks: &Spawner) -> Task<Result<(), Broken>> {
    tasks.isolated(async |_| Err(Broken))
}

fn main() {
    let _ = start;
}
