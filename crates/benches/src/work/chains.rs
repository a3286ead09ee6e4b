//! Chains of children of children: row 11.

use std::hint::black_box;
use std::pin::pin;
use std::task::{Context as TaskContext, Waker};

use tokio_ctx::{CancelGuard, Context};
use tokio_util::sync::CancellationToken;

use crate::go::Go;
use crate::harness::Group;

/// Go's CancelTree with a new root: children of children, of which only the last is held;
/// then the root is cancelled and the last one asked.
pub(super) fn against_go<'a>(go: &'a Go, depth: usize, work: &'static str) -> Group<'a> {
    Group::new()
        .side("tokio-ctx", move || {
            let root = Context::background().with_cancel();
            let mut last = Context::clone(&root);
            for _ in 0..depth {
                last = last.with_cancel().disarm();
            }
            black_box(root.cancel());
            assert!(last.is_done());
        })
        .go("Go", go, work, 0)
        .row(
            "11",
            format!("chain of {depth}, cancel the root, drop all"),
            "tokio-ctx",
            "Go",
            0.50,
        )
}

/// Every node is held, on both sides: a token that is dropped from the middle takes its
/// children out of the tree, and what remained would be no chain. All are asked at the end.
pub(super) fn against_token<'a>(depth: usize) -> Group<'a> {
    Group::new()
        .side("tokio-ctx", move || {
            let root = Context::background().with_cancel();
            let nodes = chain(&root, depth);
            black_box(root.cancel());
            assert!(nodes.iter().rev().all(Context::is_done));
        })
        .side("leaf waited on", move || {
            let root = Context::background().with_cancel();
            let nodes = chain(&root, depth);
            if let Some(last) = nodes.last() {
                let mut cx = TaskContext::from_waker(Waker::noop());
                assert!(pin!(last.done()).poll(&mut cx).is_pending());
            }
            black_box(root.cancel());
            assert!(nodes.iter().rev().all(Context::is_done));
        })
        .side("token", move || {
            let root = CancellationToken::new();
            let nodes = token_chain(&root, depth);
            root.cancel();
            assert!(nodes.iter().rev().all(CancellationToken::is_cancelled));
        })
        .row(
            "11b",
            format!("chain of {depth}, all held, cancel the root, ask and drop all"),
            "tokio-ctx",
            "token",
            1.00,
        )
        .row(
            "11i",
            format!("chain of {depth}, the same, somebody waiting on the last"),
            "leaf waited on",
            "token",
            None,
        )
}

/// `depth` children of children of `root`.
pub(crate) fn chain(root: &Context, depth: usize) -> Vec<Context> {
    let mut nodes = Vec::with_capacity(depth);
    for index in 0..depth {
        let parent = index.checked_sub(1).map_or(root, |above| &nodes[above]);
        nodes.push(CancelGuard::disarm(parent.with_cancel()));
    }
    nodes
}

/// A chain of child tokens.
pub(crate) fn token_chain(root: &CancellationToken, depth: usize) -> Vec<CancellationToken> {
    let mut nodes = Vec::with_capacity(depth);
    for index in 0..depth {
        let parent = index.checked_sub(1).map_or(root, |above| &nodes[above]);
        nodes.push(CancellationToken::child_token(parent));
    }
    nodes
}
