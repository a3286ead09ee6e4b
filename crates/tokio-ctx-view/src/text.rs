//! The report as text, for `curl` and for logs.

use std::fmt::Write as _;

use crate::report::{Report, Scope, Stuck, Task};

/// First what is wrong, then what runs.
pub(crate) fn of(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write(&mut text, report);
    text
}

fn write(out: &mut String, report: &Report) -> std::fmt::Result {
    out.push_str(&report.process);
    if let Some(up_ms) = report.up_ms {
        write!(out, ", watched for {}", time(up_ms))?;
    }
    out.push('\n');
    if !report.stuck.is_empty() {
        let num = report.stuck.len();
        writeln!(out, "\nENDED BUT STILL RUNNING ({num})")?;
        report.stuck.iter().try_for_each(|task| stuck(out, task))?;
    }
    writeln!(out, "\nSCOPES AND TASKS ({})", report.num_tasks)?;
    if report.scopes.is_empty() {
        out.push_str("  none\n");
    }
    report.scopes.iter().try_for_each(|s| scope(out, s, 1))?;
    if report.more_tasks > 0 {
        writeln!(
            out,
            "  … and {} more tasks that are not shown",
            report.more_tasks
        )?;
    }
    if !report.in_flight.is_empty() {
        let num = report.in_flight.len() + report.more_in_flight;
        writeln!(out, "\nIN FLIGHT ({num})")?;
    }
    for flight in &report.in_flight {
        write!(
            out,
            "  {} {}, for {}",
            flight.kind,
            flight.label,
            time(flight.age_ms)
        )?;
        if let Some(left) = flight.remaining_ms {
            write!(out, ", {} left", time(left))?;
        }
        for value in &flight.values {
            write!(out, ", {value}")?;
        }
        match &flight.ended {
            Some(why) => writeln!(out, ", ended: {why}")?,
            None => out.push('\n'),
        }
    }
    if report.more_in_flight > 0 {
        writeln!(out, "  … and {} more", report.more_in_flight)?;
    }
    if !report.counts.is_empty() {
        let counts = report.counts.iter();
        let counts: Vec<_> = counts.map(|c| format!("{} {}", c.reason, c.num)).collect();
        writeln!(out, "\nENDS ({})", counts.join(", "))?;
    }
    for end in &report.ends {
        write!(
            out,
            "  {} {}, {} ago",
            end.kind,
            end.label,
            time(end.ago_ms)
        )?;
        if let Some(age) = end.age_ms {
            write!(out, ", after {}", time(age))?;
        }
        writeln!(out, ": {}", end.why)?;
    }
    Ok(())
}

fn stuck(out: &mut String, stuck: &Stuck) -> std::fmt::Result {
    let task = &stuck.task;
    write!(out, "  {}, asked {} ago", name(task), time(stuck.asked_ms))?;
    if !task.can_be_aborted {
        out.push_str(", cannot be aborted");
    }
    writeln!(
        out,
        "\n    spawned at {}, {} ago",
        task.spawned_at,
        time(task.age_ms)
    )?;
    writeln!(out, "    {}", stuck.cause)
}

fn scope(out: &mut String, scope: &Scope, depth: usize) -> std::fmt::Result {
    write!(out, "{:indent$}scope ", "", indent = depth * 2)?;
    if let Some(name) = &scope.name {
        write!(out, "`{name}` ")?;
    }
    write!(out, "({})", scope.opened_at)?;
    if scope.handed_over {
        out.push_str(", handed over");
    }
    if let Some(left) = scope.remaining_ms {
        write!(out, ", {} left", time(left))?;
    }
    if let Some(why) = &scope.ended {
        write!(out, ", ended: {why}")?;
    }
    out.push('\n');
    for task in &scope.tasks {
        let indent = depth * 2 + 2;
        let age = time(task.age_ms);
        let (kind, line) = (task.kind, &task.spawned_at);
        writeln!(
            out,
            "{:indent$}{} ({kind}, {line}), for {age}",
            "",
            name(task)
        )?;
    }
    let scopes = scope.scopes.iter();
    scopes
        .into_iter()
        .try_for_each(|inner| self::scope(out, inner, depth + 1))
}

fn name(task: &Task) -> String {
    match &task.name {
        Some(name) => format!("task `{name}`"),
        None => "task".to_owned(),
    }
}

fn time(millis: u64) -> String {
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{}.{} s", millis / 1_000, millis / 100 % 10),
        _ => format!("{} min {} s", millis / 60_000, millis / 1_000 % 60),
    }
}
