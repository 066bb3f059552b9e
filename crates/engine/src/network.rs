//! Networks of addresses, `10.0.0.0/8`: whom a route takes, and whom the gateway believes.
//!
//! An address stands for itself. IPv4 addresses that an IPv6 socket shows (`::ffff:192.0.2.1`) are IPv4 addresses here,
//! on both sides of a comparison.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The bits of an IPv4-mapped IPv6 address before the IPv4 address (RFC 4291 section 2.5.5.2).
const MAPPED_BITS: u32 = 96;

/// One network: the bits that all of its addresses share.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Network {
    V4 { bits: u32, mask: u32 },
    V6 { bits: u128, mask: u128 },
}

/// A list of networks.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Networks {
    networks: Box<[Network]>,
}

impl Networks {
    /// Reads addresses and networks (RFC 4632, RFC 4291 section 2.3). The bits beyond a prefix are ignored.
    ///
    /// # Errors
    /// The position of the first text that is neither, and what is wrong with it.
    pub fn parse<T: AsRef<str>>(texts: &[T]) -> Result<Self, (usize, String)> {
        let read = |(at, text): (usize, &T)| {
            let text = text.as_ref();
            let why = || (at, format!("{text:?} is no address and no network such as 10.0.0.0/8"));
            Network::parse(text).ok_or_else(why)
        };
        let networks: Result<Box<[_]>, _> = texts.iter().enumerate().map(read).collect();
        Ok(Self { networks: networks? })
    }

    pub fn is_empty(&self) -> bool {
        self.networks.is_empty()
    }

    /// Whether `address` is in any of the networks.
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(address))
    }
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
        Some(Self::V4 { bits: address.to_bits() & mask, mask })
    }

    fn of_v6(address: Ipv6Addr, length: u32) -> Option<Self> {
        let mask = u128::MAX.checked_shl(u128::BITS.checked_sub(length)?).unwrap_or(0);
        Some(Self::V6 { bits: address.to_bits() & mask, mask })
    }

    fn contains(self, address: IpAddr) -> bool {
        match (self, address) {
            (Self::V4 { bits, mask }, IpAddr::V4(address)) => address.to_bits() & mask == bits,
            (Self::V6 { bits, mask }, IpAddr::V6(address)) => address.to_bits() & mask == bits,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
