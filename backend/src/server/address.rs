//! Where a connection comes from.

use axum::http::HeaderMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Where a request comes from, as far as it can be known.
#[derive(Debug, Clone, Copy)]
pub struct PeerAddress(pub IpAddr);

/// What counts as one address: an IPv4 address also when it came in through IPv6, and all of an IPv6
/// network of one site (a /64, RFC 4291 section 2.5.4), of which anybody has more than can be counted.
#[must_use]
pub fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address => address,
    }
}

/// What shares of costly work are counted by: an IPv4 address, and all networks of one IPv6 site (a /48, RFC 6177
/// section 2), of which one subscriber may have 65,536.
#[must_use]
pub fn site(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 80 << 80).into(),
        address => address,
    }
}

/// How many hops of `X-Forwarded-For` are looked at, from the near end.
const HOPS_MAX: usize = 16;

/// The address a trusted proxy says a request comes from: the last entry of `X-Forwarded-For` that is no trusted
/// proxy itself. What stands before it was written by whoever sent the request, and is not believed.
#[must_use]
pub fn forwarded(headers: &HeaderMap, trusted: &[IpAddr]) -> Option<IpAddr> {
    let lines = headers.get_all("x-forwarded-for").iter().collect::<Vec<_>>();
    // What stands in front may be anything, and takes nothing from what the proxy has written behind it.
    let hops = lines.into_iter().rev().flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    for hop in hops.take(HOPS_MAX) {
        let address = parse(std::str::from_utf8(hop).ok()?.trim())?;
        if !trusted.contains(&address) {
            return Some(address);
        }
    }
    None
}

/// An address, with or without a port.
fn parse(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse::<IpAddr>().or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip())).ok()?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn an_ipv6_network_counts_as_one_address() {
        let count = |text: &str| counted(text.parse().expect("an address")).to_string();
        assert_eq!(count("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(count("2001:db8:1:2::9"), "2001:db8:1:2::");
        assert_eq!(count("192.0.2.7"), "192.0.2.7");
        assert_eq!(count("::ffff:192.0.2.7"), "192.0.2.7");
    }

    #[test]
    fn the_networks_of_one_site_have_one_share() {
        let share = |text: &str| site(text.parse().expect("an address")).to_string();
        assert_eq!(share("2001:db8:1:2:3:4:5:6"), "2001:db8:1::");
        assert_eq!(share("2001:db8:1:ffff::9"), "2001:db8:1::");
        assert_eq!(share("192.0.2.7"), "192.0.2.7");
    }

    #[test]
    fn only_what_trusted_proxies_wrote_is_believed() {
        let trusted = [IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2])];
        let table: &[(&[&str], Option<&str>)] = &[
            (&["203.0.113.7"], Some("203.0.113.7")),
            (&["1.1.1.1, 203.0.113.7"], Some("203.0.113.7")),
            (&["1.1.1.1, 203.0.113.7, 10.0.0.2"], Some("203.0.113.7")),
            (&["1.1.1.1", "203.0.113.7"], Some("203.0.113.7")),
            (&["203.0.113.7:4711"], Some("203.0.113.7")),
            (&["[2001:db8::1]:4711"], Some("2001:db8::1")),
            (&["[2001:db8::1]"], Some("2001:db8::1")),
            (&["::ffff:203.0.113.7"], Some("203.0.113.7")),
            (&["203.0.113.7, nonsense"], None),
            (&["10.0.0.1"], None),
            (&[""], None),
            (&[], None),
        ];
        for (lines, address) in table {
            let mut headers = HeaderMap::new();
            for line in *lines {
                headers.append("x-forwarded-for", HeaderValue::from_static(line));
            }
            let expected = address.map(|address| address.parse().expect("an address"));
            assert_eq!(forwarded(&headers, &trusted), expected, "{lines:?}");
        }
        let mut headers = HeaderMap::new();
        let odd = HeaderValue::from_bytes(b"\xff, 203.0.113.7").expect("a header value");
        headers.append("x-forwarded-for", odd);
        assert_eq!(forwarded(&headers, &trusted), Some(IpAddr::from([203, 0, 113, 7])));
        let mut headers = HeaderMap::new();
        let long = format!("203.0.113.7{}", ",10.0.0.1".repeat(1_000));
        headers.append("x-forwarded-for", HeaderValue::from_str(&long).expect("visible ASCII"));
        assert_eq!(forwarded(&headers, &trusted), None, "nobody has so many proxies");
    }
}
