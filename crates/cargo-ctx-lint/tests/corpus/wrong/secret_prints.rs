//! Secrets that opt in to printing.
use tokio_ctx::key;

key! {
    pub Password: String, print; //~ secret-key-prints
    pub SessionId: String, request_only, print; //~ secret-key-prints
    pub ApiKey: String, print; //~ secret-key-prints
    pub Authorization: String, print; //~ secret-key-prints
    pub CookieHeader: String, print; //~ secret-key-prints
    pub Caller: BearerToken, print; //~ secret-key-prints
    pub ClientSecret: String, print, request_only; //~ secret-key-prints
}
