//! What a key must not carry.

use proc_macro2::Ident;
use syn::Type;

use crate::cx::{Cx, range_of, span_of};
use crate::resolve::{Def, Namespace, Shape};
use crate::rule::Rule;

/// Tools and shared state in a bag of values.
pub(crate) const RULE: Rule = Rule {
    id: "infrastructure-in-key",
    summary: "a key whose value is infrastructure, a callback or shared mutable state",
    explain: "\
Values inform: an id, a tenant, a verified user. They are small, immutable and safe to share.
A pool, a client, a logger or a channel in a context is a parameter in disguise: nothing in a
signature says that it is needed, and it is missed at run time. A lock or an atomic makes the
context a place where strangers write to each other.

    key! { pub Db: PgPool }
    key! { pub Retries: Arc<AtomicU32> }

    async fn save(ctx: &Context, db: &PgPool, row: Row) -> …

Found by the name of the type: locks, cells, atomics, ends of channels, task handles, function
pointers, `dyn Fn…` and other trait objects (except errors), and names that end in `Pool`, `Client` or `Logger`. A type of the
workspace is judged by its fields instead, so a `Client` that is a row of customer data is fine.
`infrastructure-types` and `not-infrastructure` in ctx-lint.toml correct the list. Silent in
test code.
",
};

const EXACT: [&str; 38] = [
    "Mutex",
    "RwLock",
    "ReentrantMutex",
    "FairMutex",
    "Cell",
    "RefCell",
    "UnsafeCell",
    "OnceCell",
    "OnceLock",
    "LazyCell",
    "LazyLock",
    "AtomicCell",
    "ArcSwap",
    "AtomicBool",
    "AtomicU8",
    "AtomicU16",
    "AtomicU32",
    "AtomicU64",
    "AtomicUsize",
    "AtomicI8",
    "AtomicI16",
    "AtomicI32",
    "AtomicI64",
    "AtomicIsize",
    "AtomicPtr",
    "Condvar",
    "Semaphore",
    "Notify",
    "Barrier",
    "DashMap",
    "DashSet",
    "JoinHandle",
    "JoinSet",
    "TaskTracker",
    "CancellationToken",
    "CancelGuard",
    "CancelHandle",
    "Runtime",
];

const ENDINGS: [&str; 6] = ["Sender", "Receiver", "Pool", "Client", "Logger", "Dispatch"];

/// Traits whose objects are data, or come beside another one.
const PLAIN_TRAITS: [&str; 8] = [
    "Error", "StdError", "Debug", "Display", "Send", "Sync", "Unpin", "ToString",
];

/// How many types of the workspace deep the search goes.
const MAX_DEPTH: usize = 4;

/// Called for every key.
pub(crate) fn check(cx: &mut Cx<'_>, key: &Ident, value: &Type) {
    if cx.harness {
        return;
    }
    let Some(culprit) = culprit(cx, &cx.module, &Shape::of([value]), MAX_DEPTH) else {
        return;
    };
    let what = match culprit.as_str() {
        "a callback" => "a callback".to_owned(),
        name => format!("`{name}`"),
    };
    cx.report(
        &RULE,
        range_of(&[span_of(value)]),
        format!("the key `{key}` carries {what}"),
        "not something that informs about a request",
        "hand it over as a parameter or a field of the service, and keep ids and facts in keys"
            .to_owned(),
        None,
    );
}

fn culprit(cx: &Cx<'_>, module: &[String], shape: &Shape, depth: usize) -> Option<String> {
    if shape.callback {
        return Some("a callback".to_owned());
    }
    let object = shape.objects.iter().filter_map(|path| path.segments.last());
    let behaves = |name: &&String| {
        !PLAIN_TRAITS.contains(&name.as_str()) && !cx.config.not_infrastructure.contains(*name)
    };
    if let Some(name) = object.into_iter().find(behaves) {
        return Some(format!("dyn {name}"));
    }
    shape.paths.iter().find_map(|path| {
        let name = path.segments.last()?;
        if cx.config.not_infrastructure.contains(name) {
            return None;
        }
        if cx.config.infrastructure_types.contains(name) {
            return Some(name.clone());
        }
        match cx.tables.resolve(module, &[], path, Namespace::Type) {
            // A type of the workspace is what its fields are.
            Def::Local(local) => {
                let fields = cx.tables.fields(&local)?;
                let home = &local[..local.len() - 1];
                let depth = depth.checked_sub(1)?;
                culprit(cx, home, fields, depth)
            }
            // Under another name it is what it is: `use sqlx::PgPool as Db`.
            Def::External(real) => {
                let name = real.last()?;
                let known = EXACT.contains(&name.as_str())
                    || ENDINGS.iter().any(|ending| name.ends_with(ending));
                known.then(|| name.clone())
            }
            Def::Unknown => None,
        }
    })
}
