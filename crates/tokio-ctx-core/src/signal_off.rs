//! What `with_signals` is without the feature `signal`: an error of rustc that names the feature.

use std::io;

use crate::context::Context;
use crate::guard::CancelGuard;

mod sealed {
    #[diagnostic::on_unimplemented(
        message = "`with_signals` needs the feature `signal` of tokio-ctx",
        label = "the feature `signal` is off"
    )]
    pub trait Signal {}
}

impl Context {
    #[doc(hidden)]
    pub fn with_signals(&self) -> io::Result<CancelGuard>
    where
        for<'a> &'a Context: sealed::Signal,
    {
        unreachable!("no type has the trait")
    }
}
