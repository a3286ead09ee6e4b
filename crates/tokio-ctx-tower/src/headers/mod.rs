//! What is read from headers and written to them: deadlines and keys.

mod baggage;
mod carrier;
mod keys;
mod timeout;
mod trace;

use std::fmt;

pub use self::baggage::Baggage;
pub use self::carrier::Carrier;
pub(crate) use self::carrier::text_of;
pub use self::keys::HeaderKey;
pub(crate) use self::keys::KeyList;
pub(crate) use self::timeout::{
    GRPC_TIMEOUT, deadline_value, grpc_value, millis_value, parse_chosen, parse_deadline,
    parse_grpc,
};
pub use self::trace::TraceContext;

/// The longest header with a duration or a time that is read.
pub(crate) const MAX_TIMEOUT_BYTES: usize = 40;

/// Why a header was ignored. Never says what the header was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ignored {
    Repeated,
    TooLong,
    NotText,
    Malformed,
}

impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Ignored::Repeated => "it is there more than once",
            Ignored::TooLong => "it is too long",
            Ignored::NotText => "it is not text",
            Ignored::Malformed => "it is malformed",
        })
    }
}
