//! Row 17: bytes and allocations, counted by the program `allocations`.

use std::process::Command;

use crate::harness::{Row, Target};

struct Counted {
    allocations: f64,
    bytes: f64,
}

/// The rows; the counting program is built if need be.
pub(crate) fn rows() -> Vec<Row> {
    let counted = count();
    let of = |name: &str| {
        let counted = counted.as_deref().ok()?;
        let line = counted
            .lines()
            .find(|line| line.split(' ').next() == Some(name))?;
        let mut figures = line
            .split(' ')
            .skip(1)
            .filter_map(|figure| figure.parse().ok());
        Some(Counted {
            allocations: figures.next()?,
            bytes: figures.next()?,
        })
    };
    let row = |work: &str, figure: Option<f64>, unit, limit: f64| match figure {
        Some(figure) => Row {
            id: "17",
            work: work.to_owned(),
            against: "a figure".to_owned(),
            ours: Some(figure),
            theirs: Some(limit),
            ratio: Some(figure / limit),
            spread: None,
            unit,
            target: Some(Target::AtMost(1.0)),
            remark: None,
        },
        None => {
            let why = counted.as_ref().err().map_or("not counted", String::as_str);
            Row::unmeasured("17", work, "a figure", Some(Target::AtMost(1.0)), why)
        }
    };
    let (derive, value) = (of("derive"), of("value"));
    let more = || {
        let (scoped, bare) = (of("scoped-task")?, of("bare-task")?);
        Some(Counted {
            allocations: scoped.allocations - bare.allocations,
            bytes: scoped.bytes - bare.bytes,
        })
    };
    let more = more();
    vec![
        row(
            "derive: allocations",
            derive.as_ref().map(|c| c.allocations),
            "",
            1.0,
        ),
        row(
            "derive: bytes",
            derive.as_ref().map(|c| c.bytes),
            "B",
            104.0,
        ),
        row(
            "add a value: allocations",
            value.as_ref().map(|c| c.allocations),
            "",
            1.0,
        ),
        // A list that doubles allocates a few times per ten thousand tasks.
        row(
            "scoped task: allocations beyond a bare task's, per 100 tasks",
            more.as_ref().map(|c| (c.allocations * 100.0).max(0.0)),
            "",
            1.0,
        ),
        row(
            "scoped task: bytes beyond a bare task's",
            more.map(|c| c.bytes),
            "B",
            96.0,
        ),
    ]
}

fn count() -> Result<String, String> {
    let here = std::env::current_exe().map_err(|error| error.to_string())?;
    let program = here.with_file_name(format!("allocations{}", std::env::consts::EXE_SUFFIX));
    let output = if program.is_file() {
        Command::new(program).output()
    } else {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        Command::new(cargo)
            .args("run --quiet --profile bench -p benches --bin allocations".split(' '))
            .output()
    };
    match output {
        Ok(output) if output.status.success() => {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Ok(output) => Err(format!("`allocations` failed: {}", output.status)),
        Err(error) => Err(format!("`allocations` did not start: {error}")),
    }
}
