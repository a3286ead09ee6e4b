//! Whether a request is for this machine, by the name that it was sent to.

use std::net::IpAddr;

use http::Request;

/// The host that a request names, without its port.
pub(crate) fn host_of<B>(request: &Request<B>) -> Option<&str> {
    let host = request
        .uri()
        .authority()
        .map(http::uri::Authority::as_str)
        .or_else(|| request.headers().get(http::header::HOST)?.to_str().ok())?;
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    match host.strip_prefix('[') {
        Some(v6) => v6.split_once(']').map(|(host, _)| host),
        None => Some(host.split_once(':').map_or(host, |(host, _)| host)),
    }
}

/// A page of another site may send the browser here under a name of its own that resolves to
/// this machine (DNS rebinding). It cannot choose the `Host` that the browser then sends.
pub(crate) fn is_allowed(host: &str, allowed: &[String]) -> bool {
    let host = host.trim_end_matches('.');
    host.eq_ignore_ascii_case("localhost")
        || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
        || allowed.iter().any(|name| name.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(value: &str) -> Option<String> {
        let request = Request::builder().header("host", value).body(()).unwrap();
        host_of(&request).map(str::to_owned)
    }

    #[test]
    fn a_host_is_read_without_its_port() {
        assert_eq!(host("localhost:6060").as_deref(), Some("localhost"));
        assert_eq!(host("[::1]:6060").as_deref(), Some("::1"));
        assert_eq!(host("127.0.0.1").as_deref(), Some("127.0.0.1"));
        assert_eq!(host_of(&Request::new(())), None);
    }

    #[test]
    fn only_loopback_and_allowed_names_are_answered() {
        let allowed = ["debug.internal".to_owned()];
        for host in [
            "localhost",
            "LOCALHOST",
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "debug.internal",
        ] {
            assert!(is_allowed(host, &allowed), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "10.0.0.1", ""] {
            assert!(!is_allowed(host, &allowed), "{host}");
        }
    }
}
