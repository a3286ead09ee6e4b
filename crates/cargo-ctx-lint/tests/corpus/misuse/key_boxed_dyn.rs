//! The same in a box, by the trait.
use tokio_ctx::Key;

pub struct Mailer;

impl Key for Mailer {
    type Value = Box<dyn SendMail + Send + Sync>; //~ key
}
