//! Faults on demand: the k-th use of a dependency fails.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::name::Seen;

thread_local! {
    static USES: RefCell<Option<Uses>> = const { RefCell::new(None) };
}

/// The uses of faulty things in one call.
#[derive(Default)]
pub(crate) struct Uses {
    /// The use that fails, from 1.
    fails: Option<u64>,
    pub(crate) count: u64,
    /// Where the use that failed came from.
    pub(crate) failed: Option<Seen>,
}

/// Counts the uses on this thread until it is dropped, and lets one of them fail.
pub(crate) struct Counting(());

impl Counting {
    pub(crate) fn start(fails: Option<u64>) -> Counting {
        USES.set(Some(Uses {
            fails,
            ..Uses::default()
        }));
        Counting(())
    }

    pub(crate) fn stop(self) -> Uses {
        USES.take().unwrap_or_default()
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        USES.set(None);
    }
}

/// Whether this use of a dependency is the one that is to fail: for fakes, in tests that
/// [`fail_everywhere`](crate::World::fail_everywhere) runs. It is `false` everywhere else.
///
/// ```
/// use std::cell::RefCell;
///
/// #[derive(Default)]
/// struct FakeTable(RefCell<Vec<u32>>);
///
/// impl FakeTable {
///     async fn insert(&self, row: u32) -> Result<(), &'static str> {
///         if cut_points::fault_here() {
///             return Err("the connection is gone");
///         }
///         self.0.borrow_mut().push(row);
///         Ok(())
///     }
/// }
///
/// async fn order(orders: &FakeTable, lines: &FakeTable) -> Result<(), &'static str> {
///     orders.insert(1).await?;
///     lines.insert(1).await // fails: an order without a line
/// }
///
/// let report = cut_points::world(async || (FakeTable::default(), FakeTable::default()))
///     .check(async |(orders, lines): &(FakeTable, FakeTable)| {
///         assert_eq!(orders.0.borrow().len(), lines.0.borrow().len());
///     })
///     .fail_everywhere(async |(orders, lines): &(FakeTable, FakeTable)| order(orders, lines).await);
/// assert_eq!(report.points(), 2);
/// assert_eq!(report.failures().count(), 1);
/// ```
pub fn fault_here() -> bool {
    USES.with_borrow_mut(|uses| {
        let Some(uses) = uses else { return false };
        uses.count += 1;
        let fails = uses.fails == Some(uses.count);
        if fails {
            let seen = Seen::default();
            seen.record();
            uses.failed = Some(seen);
        }
        fails
    })
}

/// A stream of bytes of which each poll may be the one that fails, with an error of the kind
/// [`ConnectionReset`](io::ErrorKind::ConnectionReset); see
/// [`fail_everywhere`](crate::World::fail_everywhere).
#[derive(Debug)]
pub struct Faulty<T>(T);

impl<T> Faulty<T> {
    /// Lets polls of `stream` fail.
    pub fn new(stream: T) -> Faulty<T> {
        Faulty(stream)
    }

    /// The stream itself.
    pub fn into_inner(self) -> T {
        self.0
    }

    fn fault() -> io::Result<()> {
        if fault_here() {
            return Err(io::Error::new(
                io::ErrorKind::ConnectionReset,
                "a fault of the test",
            ));
        }
        Ok(())
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Faulty<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Self::fault()?;
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Faulty<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Self::fault()?;
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Self::fault()?;
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Self::fault()?;
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
