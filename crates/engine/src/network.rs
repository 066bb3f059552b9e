//! Networks of addresses, `10.0.0.0/8`: whom a route takes, whom plugins let in, and whom the gateway believes.
//!
//! An address stands for itself. IPv4 addresses that an IPv6 socket shows (`::ffff:192.0.2.1`) are IPv4 addresses here,
//! on both sides of a comparison. Networks become ranges in order, so that finding an address among 100,000 of them
//! takes some twenty comparisons.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The bits of an IPv4-mapped IPv6 address before the IPv4 address (RFC 4291 section 2.5.5.2).
const MAPPED_BITS: u32 = 96;

/// First and last address of a range.
type Range<T> = (T, T);

/// A set of networks.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Networks {
    /// In order, without overlap.
    v4: Box<[Range<u32>]>,
    v6: Box<[Range<u128>]>,
}

/// The range that one network is.
#[derive(Clone, Copy)]
enum Network {
    V4(Range<u32>),
    V6(Range<u128>),
}

impl Networks {
    /// Reads addresses and networks (RFC 4632, RFC 4291 section 2.3). The bits beyond a prefix are ignored.
    ///
    /// # Errors
    /// The position of the first text that is neither, and what is wrong with it.
    pub fn parse<T: AsRef<str>>(texts: &[T]) -> Result<Self, (usize, String)> {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (at, text) in texts.iter().enumerate() {
            let text = text.as_ref();
            let why = || (at, format!("{text:?} is no address and no network such as 10.0.0.0/8"));
            match Network::parse(text).ok_or_else(why)? {
                Network::V4(range) => v4.push(range),
                Network::V6(range) => v6.push(range),
            }
        }
        Ok(Self { v4: in_order(v4), v6: in_order(v6) })
    }

    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    /// Whether `address` is in any of the networks.
    pub fn contain(&self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(address) => is_within(&self.v4, address.to_bits()),
            IpAddr::V6(address) => is_within(&self.v6, address.to_bits()),
        }
    }
}

/// The ranges sorted, those that overlap as one.
fn in_order<T: Copy + Ord>(mut ranges: Vec<Range<T>>) -> Box<[Range<T>]> {
    ranges.sort_unstable();
    ranges.dedup_by(|(first, last), (_, before)| {
        let overlaps = *first <= *before;
        if overlaps {
            *before = (*before).max(*last);
        }
        overlaps
    });
    ranges.into()
}

fn is_within<T: Copy + Ord>(ranges: &[Range<T>], address: T) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= address);
    let nearest = after.checked_sub(1).and_then(|at| ranges.get(at));
    nearest.is_some_and(|(_, last)| address <= *last)
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) if length.bytes().all(|byte| byte.is_ascii_digit()) => {
                (address, Some(length.parse::<u32>().ok()?))
            }
            Some(_) => return None,
            None => (text, None),
        };
        match address.parse().ok()? {
            IpAddr::V4(address) => Self::of_v4(address, length.unwrap_or(u32::BITS)),
            IpAddr::V6(address) => {
                let length = length.unwrap_or(u128::BITS);
                match address.to_ipv4_mapped() {
                    Some(address) if length >= MAPPED_BITS => Self::of_v4(address, length - MAPPED_BITS),
                    _ => Self::of_v6(address, length),
                }
            }
        }
    }

    fn of_v4(address: Ipv4Addr, length: u32) -> Option<Self> {
        let mask = u32::MAX.checked_shl(u32::BITS.checked_sub(length)?).unwrap_or(0);
        let first = address.to_bits() & mask;
        Some(Self::V4((first, first | !mask)))
    }

    fn of_v6(address: Ipv6Addr, length: u32) -> Option<Self> {
        let mask = u128::MAX.checked_shl(u128::BITS.checked_sub(length)?).unwrap_or(0);
        let first = address.to_bits() & mask;
        Some(Self::V6((first, first | !mask)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_address_is_in_the_networks_that_share_its_first_bits() {
        for (network, inside, outside) in [
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("10.0.0.0/8", "10.255.1.2", "11.0.0.0"),
            ("10.1.2.3/8", "10.9.9.9", "11.1.2.3"),
            ("192.0.2.0/25", "192.0.2.127", "192.0.2.128"),
            ("0.0.0.0/0", "203.0.113.9", "2001:db8::1"),
            ("10.0.0.0/8", "::ffff:10.0.0.1", "::10.0.0.1"),
            ("::ffff:10.0.0.0/104", "10.4.4.4", "11.0.0.1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("2001:db8::1", "2001:db8::1", "2001:db8::2"),
            ("::/0", "2001:db8::1", "192.0.2.1"),
        ] {
            let networks = Networks::parse(&[network]).unwrap();
            assert!(networks.contain(inside.parse().unwrap()), "{inside} is in {network}");
            assert!(!networks.contain(outside.parse().unwrap()), "{outside} is not in {network}");
        }
    }

    #[test]
    fn refuses_what_is_no_network_and_says_which() {
        for text in
            ["", "localhost", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "10.0.0/8", "::1/129", "1.2.3.4/8/8"]
        {
            let (at, why) = Networks::parse(&["127.0.0.1", text]).unwrap_err();
            assert_eq!(at, 1);
            assert!(why.contains(&format!("{text:?}")), "{why}");
        }
    }

    #[test]
    fn networks_that_overlap_are_one() {
        let networks =
            ["10.0.0.0/8", "10.1.0.0/16", "9.255.255.255", "11.0.0.0/8", "2001:db8::/32", "2001:db8:1::/48"];
        let networks = Networks::parse(&networks).unwrap();
        for inside in
            ["9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0", "11.255.255.255", "2001:db8:2::"]
        {
            assert!(networks.contain(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["9.255.255.254", "12.0.0.0", "2001:db7:ffff::", "2001:db9::"] {
            assert!(!networks.contain(outside.parse().unwrap()), "{outside}");
        }
    }

    proptest! {
        #[test]
        fn an_address_is_found_as_by_comparing_with_each_network(
            networks in prop::collection::vec((any::<u32>(), 0..=32u32), 0..40),
            address in any::<u32>(),
        ) {
            let texts: Vec<_> =
                networks.iter().map(|(bits, length)| format!("{}/{length}", Ipv4Addr::from(*bits))).collect();
            let by_each = networks.iter().any(|(bits, length)| {
                let shift = 32 - length;
                shift == 32 || bits >> shift == address >> shift
            });
            let found = Networks::parse(&texts).unwrap().contain(Ipv4Addr::from(address).into());
            prop_assert_eq!(found, by_each);
        }
    }
}
