//! A handler that receives its user as a parameter, not as a value that might be missing.
//!
//! Run: `cargo run -p examples --example typed_auth`
//!
//! Authentication happens once, at the edge, and what it found travels in the context under
//! a key that only this module can name. Deep down there is no `must_get` that panics:
//! a function that needs a user says so in its signature, and the edge answers 401 when there is none.

mod auth {
    use std::fmt;

    use tokio_ctx::{Context, key};

    /// Somebody whose password was checked. Only this module makes one.
    pub(crate) struct User {
        name: String,
        token: String,
    }

    impl User {
        pub(crate) fn name(&self) -> &str {
            &self.name
        }
    }

    // The token never shows when the user is printed.
    impl fmt::Debug for User {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(
                f,
                "User({}, token of {} bytes)",
                self.name,
                self.token.len()
            )
        }
    }

    // Private, and not printed: it can be read and set through the two functions below alone.
    key! { UserKey: User }

    /// What a login middleware does.
    pub(crate) fn authenticate(ctx: &Context, header: Option<&str>) -> Context {
        match header.and_then(|header| header.strip_prefix("Bearer ")) {
            Some("s3cret") => {
                let user = User {
                    name: "alice".into(),
                    token: "s3cret".into(),
                };
                ctx.with_value::<UserKey>(user)
            }
            _ => ctx.clone(),
        }
    }

    /// The user, for the edge.
    pub(crate) fn user(ctx: &Context) -> Option<&User> {
        ctx.value::<UserKey>()
    }
}

use auth::User;
use tokio_ctx::Context;

/// The edge: absence is ordinary here, and is turned into an answer.
fn with_user<R>(ctx: &Context, handler: impl FnOnce(&Context, &User) -> R) -> Result<R, u16> {
    auth::user(ctx).map(|user| handler(ctx, user)).ok_or(401)
}

/// A handler: it cannot be called without a user.
fn greet(ctx: &Context, user: &User) -> String {
    assert!(!ctx.is_done());
    format!("hello, {}", user.name())
}

fn main() {
    let request = Context::background().with_cancel();

    let known = auth::authenticate(&request, Some("Bearer s3cret"));
    let answer = with_user(&known, greet);
    println!("with a token: {answer:?}");
    assert_eq!(answer, Ok("hello, alice".into()));

    let unknown = auth::authenticate(&request, Some("Bearer guess"));
    let answer = with_user(&unknown, greet);
    println!("without:      {answer:?}");
    assert_eq!(answer, Err(401));

    let printed = format!("{known:?} {:?}", auth::user(&known));
    println!("{printed}");
    assert!(!printed.contains("s3cret"));
}
