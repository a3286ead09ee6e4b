//! A macro `key!` of somebody else.
use redis_macros::key;

key! { pub Password: Mutex<String>, print }
keyboard::key! { Token: fn(), print }
