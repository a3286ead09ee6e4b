//! Faults of what a call uses.

use std::cell::{Cell, RefCell};

use cut_points::{Faulty, Outcome, fault_here, world};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

fn query() -> Result<(), &'static str> {
    if fault_here() {
        Err("the connection is gone")
    } else {
        Ok(())
    }
}

#[test]
fn each_use_fails_once_and_a_retry_may_finish() {
    let report = world(async || ()).fail_everywhere(async |(): &()| {
        query().or_else(|_| query())?; // tried again
        query()
    });
    report.assert_ok();
    assert_eq!(report.points(), 2);
    assert_eq!(report.cuts()[0].outcome(), &Outcome::Finished);
    let failed = Outcome::Failed("\"the connection is gone\"".to_owned());
    assert_eq!(report.cuts()[1].outcome(), &failed);
    assert!(
        report
            .to_string()
            .contains("of 2 calls 1 finished, 1 failed otherwise"),
        "{report}"
    );
}

#[test]
fn a_fault_that_breaks_an_invariant_is_found_where_it_came_from() {
    let report = world(async || Cell::new(0))
        .check(async |open: &Cell<u32>| assert_eq!(open.get(), 0, "left open"))
        .fail_everywhere(async |open: &Cell<u32>| {
            query()?;
            open.set(1);
            query()?; // the early return
            open.set(0);
            query()
        });
    assert_eq!(
        report
            .failures()
            .map(cut_points::Cut::point)
            .collect::<Vec<_>>(),
        [2]
    );
    let text = report.to_string();
    assert!(text.contains("fault 2 of 3, in"), "{text}");
    assert!(text.contains("// the early return"), "{text}");
}

#[test]
fn polls_of_a_stream_fail_with_a_reset() {
    type Pipe = RefCell<Option<(Faulty<DuplexStream>, DuplexStream)>>;
    let pipe = async || {
        let (near, far) = tokio::io::duplex(64);
        Pipe::new(Some((Faulty::new(near), far)))
    };
    let report = world(pipe).once().fail_everywhere(async |pipe: &Pipe| {
        let (mut near, mut far) = pipe.borrow_mut().take().ok_or("it is taken")?;
        let mut byte = [0];
        near.write_all(b"a")
            .await
            .map_err(|error| error.to_string())?;
        far.read_exact(&mut byte)
            .await
            .map_err(|error| error.to_string())?;
        far.write_all(b"b")
            .await
            .map_err(|error| error.to_string())?;
        near.read_exact(&mut byte)
            .await
            .map_err(|error| error.to_string())?;
        Ok::<_, String>(())
    });
    report.assert_ok();
    assert_eq!(report.points(), 2);
    for cut in report.cuts() {
        assert_eq!(
            cut.outcome(),
            &Outcome::Failed("\"a fault of the test\"".to_owned())
        );
    }
}

#[test]
fn nothing_fails_outside_of_such_a_test() {
    assert!(!fault_here());
    world(async || ())
        .drop_everywhere(async |(): &()| query())
        .assert_ok();
    let report = world(async || ()).fail_everywhere(async |(): &()| {});
    assert!(
        report.notes()[0].contains("uses nothing that can fail"),
        "{report}"
    );
}
