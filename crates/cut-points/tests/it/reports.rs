//! Reports for other readers than a terminal.

use std::cell::Cell;
use std::time::Duration;

use cut_points::{Report, world};
use tokio::time::sleep;

fn failing() -> Report {
    world(async || Cell::new(false))
        .check(async |open: &Cell<bool>| assert!(!open.get(), "left | <open>\n@everyone"))
        .drop_everywhere(async |open: &Cell<bool>| {
            open.set(true);
            sleep(Duration::from_secs(1)).await; // here
            open.set(false);
        })
}

#[test]
fn markdown_is_a_table_in_which_nothing_is_markup_that_came_from_outside() {
    let text = failing().to_markdown();
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
    assert_eq!(rows.len(), 3, "{text}");
    assert!(rows[2].starts_with("| 1 of 1 | "), "{text}");
    assert!(
        rows[2].contains("left \\| &lt;open&gt;, \\@everyone at "),
        "{text}"
    );
    assert!(
        rows[2].contains("CUT\\_POINTS\\_ONLY=1 cargo test reports::markdown\\_is"),
        "{text}"
    );
    let bars = rows[2].replace("\\|", "").matches('|').count();
    assert_eq!(bars, 5, "{text}");
}

#[test]
fn json_holds_the_cuts_with_their_places() {
    let report: serde_json::Value = serde_json::from_str(&failing().to_json()).expect("JSON");
    assert_eq!(report["ok"], false);
    assert_eq!(report["mode"], "drop_everywhere");
    assert_eq!(report["points"], 1);
    assert_eq!(
        report["test"],
        "reports::json_holds_the_cuts_with_their_places"
    );
    let cut = &report["cuts"][0];
    assert_eq!(cut["outcome"], "dropped");
    assert_eq!(cut["faults"][0]["kind"], "Check");
    let frame = &cut["places"][0]["frames"][0];
    assert_eq!(
        frame["source"],
        "sleep(Duration::from_secs(1)).await; // here"
    );
    assert_eq!(
        cut["replay"],
        "CUT_POINTS_ONLY=1 cargo test reports::json_holds_the_cuts_with_their_places"
    );
}
