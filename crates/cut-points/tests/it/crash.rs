//! Dropping the runtime with everything in it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cut_points::world;
use tokio::time::sleep;

/// Gives its number back in a task, as pools do whose connections need a word with the server.
struct Held {
    number: u32,
    free: Arc<Mutex<Vec<u32>>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        let (number, free) = (self.number, Arc::clone(&self.free));
        tokio::spawn(async move { free.lock().expect("not poisoned").push(number) });
    }
}

async fn borrow(free: &Arc<Mutex<Vec<u32>>>) -> Result<(), &'static str> {
    let number = free
        .lock()
        .expect("not poisoned")
        .pop()
        .ok_or("none is free")?;
    let _held = Held {
        number,
        free: Arc::clone(free),
    };
    sleep(Duration::from_secs(1)).await;
    Ok(())
}

#[test]
fn what_a_destructor_spawns_is_lost_in_a_crash_and_not_in_a_drop() {
    let world = || world(async || Arc::new(Mutex::new(vec![7])));
    world()
        .drop_everywhere(async |free: &Arc<Mutex<Vec<u32>>>| borrow(free).await)
        .assert_ok();
    let report = world().crash_everywhere(async |free: &Arc<Mutex<Vec<u32>>>| borrow(free).await);
    assert_eq!(report.failures().count() as u64, report.points());
    assert!(report.to_string().contains("none is free"), "{report}");
}

#[test]
fn every_task_is_dropped_in_a_crash_and_none_runs_on() {
    struct Entry(Arc<Mutex<String>>);
    impl Drop for Entry {
        fn drop(&mut self) {
            self.0.lock().expect("not poisoned").push(')');
        }
    }
    let world = || {
        world(async || Arc::new(Mutex::new(String::new())))
            .once()
            .check(async |journal: &Arc<Mutex<String>>| {
                let text = journal.lock().expect("not poisoned").clone();
                assert!(["", "()", "(.)"].contains(&text.as_str()), "{text}");
            })
    };
    let detached = async |journal: &Arc<Mutex<String>>| {
        let journal = Arc::clone(journal);
        let task = tokio::spawn(async move {
            journal.lock().expect("not poisoned").push('(');
            let entry = Entry(Arc::clone(&journal));
            sleep(Duration::from_secs(1)).await;
            entry.0.lock().expect("not poisoned").push('.');
        });
        task.await.expect("it does not panic");
    };
    world().crash_everywhere(detached).assert_ok();
    let dropped = world().tasks_may_outlive().drop_everywhere(detached);
    assert!(!dropped.is_ok(), "the task is still in there");
}
