//! The page: three small files, served as they are.

pub(crate) const HTML: &str = include_str!("page/page.html");
pub(crate) const CSS: &str = include_str!("page/page.css");
pub(crate) const JS: &str = include_str!("page/page.js");
pub(crate) const ICON: &str = include_str!("page/icon.svg");

/// Nothing from elsewhere, nothing inline, nothing that frames or sends the page on.
pub(crate) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                                 img-src 'self'; connect-src 'self'; base-uri 'none'; \
                                 form-action 'none'; frame-ancestors 'none'";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_smaller_than_forty_kibibytes() {
        let size = HTML.len() + CSS.len() + JS.len() + ICON.len();
        assert!(size < 40 * 1024, "{size}");
    }

    #[test]
    fn nothing_of_the_page_comes_from_elsewhere() {
        for file in [HTML, CSS, JS] {
            assert!(!file.contains("//cdn") && !file.contains("https://"));
            assert!(!file.contains("innerHTML") && !file.contains("style="));
        }
    }
}
