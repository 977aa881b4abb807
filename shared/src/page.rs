//! The page's own addresses.

/// What their paths begin with, up to the second `/`: asked for one of these, the server answers with the page, and so does
/// the browser while there is no network. Only below `c` (a conversation) there are further ones.
pub const ROUTES: [&str; 9] = ["", "signin", "signup", "c", "new", "new-group", "search", "channels", "settings"];

/// Whether a path, without its first `/`, is one of them.
#[must_use]
pub fn is_route(path: &str) -> bool {
    match path.split_once('/') {
        None => ROUTES.contains(&path),
        Some((first, _)) => first == "c",
    }
}

#[cfg(test)]
mod tests {
    use super::is_route;

    #[test]
    fn the_page_answers_for_its_own_addresses_only() {
        for path in ["", "signin", "c", "c/0192f0c1-2345-7abc-8def-0123456789ab", "c/x/12"] {
            assert!(is_route(path), "{path}");
        }
        for path in ["admin", "api/nothing", "favicon.ico", "../etc/passwd", "cc", "signin/x", "/"] {
            assert!(!is_route(path), "{path}");
        }
    }
}
