//! Types whose methods do what they should not, and the world that they can reach.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context as Poller, Poll, Wake, Waker};
use std::time::Duration;

use spawn_scoped::{Scope, root, snapshot};
use tokio_ctx_core::{CancelGuard, CancelHandle, Cancelled, Context, key};

use super::world::World;

/// What a hostile method does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Deed {
    Panic,
    Block,
    Reenter,
    Cancel,
    DropTheLast,
}

/// Which methods of a world are hostile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// A closure or an iterator.
    Call,
    Poll,
    Drop,
    /// `Display` and `Debug`.
    Show,
    Wake,
    /// `From` and `Into`.
    Convert,
    All,
}

/// What a deed works with; what is hostile holds it weakly, or it would keep itself.
pub(super) struct Place {
    pub(super) ctx: Context,
    pub(super) handle: CancelHandle,
    pub(super) last: Mutex<Option<CancelGuard>>,
    pub(super) scope: Mutex<Option<Scope<Failure>>>,
}

thread_local! {
    static ACTING: Cell<bool> = const { Cell::new(false) };
    /// Where `From` finds its world, on every thread of the world's runtime.
    pub(super) static HERE: RefCell<Option<World>> = const { RefCell::new(None) };
}

impl Deed {
    /// One deed at a time on a thread, or a re-entrant one would never end.
    fn act(self, place: &Weak<Place>) {
        struct Over;
        impl Drop for Over {
            fn drop(&mut self) {
                let _ = ACTING.try_with(|acting| acting.set(false));
            }
        }
        // A second panic while a thread unwinds ends the process, and that is Rust's own rule.
        let was = |acting: &Cell<bool>| acting.replace(true);
        if std::thread::panicking() || ACTING.try_with(was).unwrap_or(true) {
            return;
        }
        let _over = Over;
        match (self, place.upgrade()) {
            (Deed::Panic, _) => panic!("on purpose"),
            (Deed::Block, _) => std::thread::park_timeout(Duration::from_micros(200)),
            (_, None) => {}
            (Deed::Cancel, Some(place)) => {
                let scope = place.scope();
                if let Some(scope) = scope {
                    scope.cancel_with("from within");
                }
                place.handle.cancel_with("from within");
            }
            (Deed::DropTheLast, Some(place)) => {
                drop(take(&place.scope));
                drop(take(&place.last));
            }
            (Deed::Reenter, Some(place)) => place.reenter(),
        }
    }
}

/// Takes what is there, to be dropped outside of the lock.
pub(super) fn take<T>(slot: &Mutex<Option<T>>) -> Option<T> {
    slot.lock().expect("no panic under it").take()
}

impl Place {
    fn scope(&self) -> Option<Scope<Failure>> {
        self.scope.lock().expect("no panic under it").clone()
    }

    fn reenter(&self) {
        let merged = self.ctx.merge(&Context::background().with_cancel());
        merged.on_cancel(|_| ()).disarm();
        drop((merged.token(), merged.err(), format!("{:?}", self.ctx)));
        drop((snapshot(), root().stragglers()));
        let Some(s) = self.scope() else { return };
        drop(s.spawn(async |_| Ok::<_, Failure>(())));
        drop(s.isolated(async |_| Ok::<_, Failure>(())));
        drop(
            s.task()
                .try_slot()
                .map(|slot| slot.spawn(async |_| Ok::<_, Failure>(()))),
        );
        s.defer(async |_| ()).stop();
        drop((s.unfinished(), s.snapshot(), format!("{s:?}")));
        let mut inner = Box::pin(spawn_scoped::scope(s.context(), async |s| {
            s.spawn(async |_| Ok::<_, Cancelled>(()));
            std::future::pending::<Result<(), Cancelled>>().await
        }));
        let _ = inner.as_mut().poll(&mut Poller::from_waker(Waker::noop()));
    }
}

/// Acts in the methods that are hostile in its world; counts its drops.
pub(super) struct Hostile {
    pub(super) deed: Deed,
    pub(super) method: Method,
    pub(super) place: Weak<Place>,
    pub(super) alive: Alive,
    pub(super) made_at: &'static Location<'static>,
}

/// The lines that made what is still alive.
pub(super) type Alive = Arc<Mutex<Vec<&'static Location<'static>>>>;

impl Hostile {
    pub(super) fn act(&self, method: Method) {
        if self.method == Method::All || self.method == method {
            self.deed.act(&self.place);
        }
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        {
            let mut alive = self.alive.lock().expect("no panic under it");
            let mine = alive.iter().position(|made_at| *made_at == self.made_at);
            mine.map(|mine| alive.swap_remove(mine));
        }
        self.act(Method::Drop);
    }
}

impl fmt::Debug for Hostile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Hostile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.act(Method::Show);
        f.write_str("hostile")
    }
}

impl Error for Hostile {}

impl From<Hostile> for Cow<'static, str> {
    fn from(hostile: Hostile) -> Self {
        hostile.act(Method::Convert);
        "hostile".into()
    }
}

/// The error type of the scopes.
#[derive(Debug)]
pub(super) enum Failure {
    Stopped(#[expect(dead_code, reason = "held")] Option<Hostile>),
    Broken(#[expect(dead_code, reason = "held")] Hostile),
}

impl From<Cancelled> for Failure {
    fn from(_: Cancelled) -> Self {
        let world = HERE.with_borrow(Clone::clone);
        let hostile = world.map(|world| world.hostile());
        hostile
            .iter()
            .for_each(|hostile| hostile.act(Method::Convert));
        Failure::Stopped(hostile)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A task's future, or an item of a list of them.
pub(super) struct Work<O> {
    pub(super) hostile: Hostile,
    pub(super) output: Option<O>,
    pub(super) polls: usize,
}

impl<O: Unpin> Future for Work<O> {
    type Output = O;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<O> {
        self.hostile.act(Method::Poll);
        if self.polls == 0 {
            return self.output.take().map_or(Poll::Pending, Poll::Ready);
        }
        self.polls -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Yields twice, acting before each.
pub(super) struct Items {
    pub(super) world: World,
    pub(super) left: usize,
}

impl Iterator for Items {
    type Item = Hostile;

    fn next(&mut self) -> Option<Hostile> {
        let item = self.world.hostile();
        self.left = self.left.checked_sub(1)?;
        item.act(Method::Call);
        Some(item)
    }
}

pub(super) struct HostileWaker {
    pub(super) real: Waker,
    pub(super) hostile: Hostile,
}

impl Wake for HostileWaker {
    fn wake(self: Arc<Self>) {
        self.real.wake_by_ref();
        self.hostile.act(Method::Wake);
    }
}

key! {
    pub(super) Shown: Hostile, print;
    pub(super) Hidden: Hostile;
}
