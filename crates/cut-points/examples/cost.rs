//! What a test costs: `cargo run -p cut-points --example cost [POINTS]...`.
//!
//! It is the table of the guide's page "Is my function cancel safe?".

use tokio::task::yield_now;

fn main() {
    println!("| points | runs | seconds |\n|---|---|---|");
    let asked: Vec<u64> = std::env::args()
        .skip(1)
        .filter_map(|points| points.parse().ok())
        .collect();
    let asked = if asked.is_empty() {
        vec![10, 100, 500]
    } else {
        asked
    };
    for points in asked {
        let report = cut_points::world(async || ()).drop_everywhere(async move |(): &()| {
            for _ in 0..points {
                yield_now().await;
            }
        });
        report.assert_ok();
        let (points, runs) = (report.points(), report.runs());
        println!("| {points} | {runs} | {:.2} |", report.took().as_secs_f64());
    }
}
