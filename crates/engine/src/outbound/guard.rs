//! Where the gateway may go. A URL that the operator wrote may lead anywhere; one that another server gave may not lead
//! into the gateway's own network (server-side request forgery). Addresses are looked at after names are resolved, and are
//! those that are then connected to, so a name cannot change its mind in between.

use crate::network::Networks;
use std::net::IpAddr;
use std::sync::LazyLock;

/// How far an endpoint may reach.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reach {
    /// The operator has written the URL.
    Anywhere,
    /// Another server has given the URL: addresses of the public internet only.
    Public,
}

/// What is not of the public internet (the special-purpose registries of RFC 6890), and ways to wrap such addresses up.
const SPECIAL: [&str; 24] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
    "::/96",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "fc00::/7",
    "fe80::/9",
    "ff00::/8",
];

impl Reach {
    pub fn allows(self, address: IpAddr) -> bool {
        static PARSED: LazyLock<Option<Networks>> = LazyLock::new(|| Networks::parse(&SPECIAL).ok());
        self == Self::Anywhere || PARSED.as_ref().is_some_and(|special| !special.contain(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_of_another_server_reaches_public_addresses_only() {
        for address in
            ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "100.128.0.1", "172.32.0.1"]
        {
            assert!(Reach::Public.allows(address.parse().unwrap()), "{address}");
        }
        for address in [
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "::",
            "0.0.0.0",
            "10.1.2.3",
            "172.31.255.255",
            "192.168.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "fd00::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!Reach::Public.allows(address.parse().unwrap()), "{address}");
            assert!(Reach::Anywhere.allows(address.parse().unwrap()), "{address}");
        }
    }
}
