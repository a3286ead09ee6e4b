//! Panics on this thread: kept silent while a program is cut, and remembered.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, PanicHookInfo};
use std::sync::Once;

thread_local! {
    static RECORD: RefCell<Option<Record>> = const { RefCell::new(None) };
}

struct Record {
    silent: bool,
    panics: Vec<String>,
}

/// Remembers the panics of this thread until it is dropped.
pub(crate) struct Recording(());

impl Recording {
    /// The hook is installed once and for all threads; it only acts on those that record.
    pub(crate) fn start(silent: bool) -> Recording {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let next = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                if !record(info) {
                    next(info);
                }
            }));
        });
        let record = Record {
            silent,
            panics: Vec::new(),
        };
        RECORD.set(Some(record));
        Recording(())
    }

    /// What has panicked since the last time, with its line.
    pub(crate) fn take(&self) -> Vec<String> {
        RECORD.with(|record| {
            let mut record = record.borrow_mut();
            record
                .as_mut()
                .map(|record| std::mem::take(&mut record.panics))
                .unwrap_or_default()
        })
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        RECORD.set(None);
    }
}

/// Whether it is reported here and should not be printed.
fn record(info: &PanicHookInfo<'_>) -> bool {
    let at = info
        .location()
        .map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
    let line = format!("{}{at}", text(info.payload()));
    // A thread that ends, or one that panics while it records, is not recorded.
    let recorded = RECORD.try_with(|record| {
        let mut record = record.try_borrow_mut().ok()?;
        let record = record.as_mut()?;
        record.panics.push(line);
        Some(record.silent)
    });
    recorded.ok().flatten().unwrap_or(false)
}

pub(crate) fn text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without a text")
        .to_owned()
}
