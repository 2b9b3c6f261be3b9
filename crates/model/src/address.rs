//! What an address reaches: a closed list of classes over every IPv4 and IPv6 address
//! (IANA special-purpose registries, RFC 6890). Never resolves a name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What connecting to an address would reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressClass {
    /// A globally routed unicast address.
    Public,
    /// This machine or its own networks: loopback, RFC 1918, RFC 6598, RFC 4193. Reached only where
    /// the configuration allows it.
    Private,
    /// Never a server that a configuration could mean: link-local (where cloud metadata lives),
    /// unspecified, multicast, reserved, documentation, and IPv6 forms that carry an IPv4 address
    /// past the other checks.
    Forbidden,
}

impl AddressClass {
    /// The class of `address`.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => Self::of_v6(address),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        match address.octets() {
            // Metadata and platform services of clouds, outside the link-local range.
            [100, 100, 100, 200] | [168, 63, 129, 16] => Self::Forbidden,
            [10 | 127, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => {
                Self::Private
            }
            [0 | 224..=255, ..]
            | [169, 254, ..]
            | [192, 0, 0 | 2, _]
            | [192, 88, 99, _]
            | [198, 18 | 19, ..]
            | [198, 51, 100, _]
            | [203, 0, 113, _] => Self::Forbidden,
            _ => Self::Public,
        }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        match address.segments() {
            // The metadata service of a cloud, inside the unique local range.
            [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] => Self::Forbidden,
            [0, 0, 0, 0, 0, 0, 0, 1] | [0xfc00..=0xfdff, ..] => Self::Private,
            // Teredo and the other protocol assignments, documentation, 6to4.
            [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..=0xfff, ..] => {
                Self::Forbidden
            }
            [0x2000..=0x3fff, ..] => Self::Public,
            // Mapped, compatible and NAT64 forms, link-local, site-local, multicast, unassigned.
            _ => Self::Forbidden,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::AddressClass::{self, Forbidden, Private, Public};

    #[test]
    fn rows_s1_to_s4_every_class_of_address() {
        let rows = [
            ("S1", "127.0.0.1", Private),
            ("S1", "127.255.255.254", Private),
            ("S1", "0.0.0.0", Forbidden),
            ("S1", "::", Forbidden),
            ("S1", "::1", Private),
            ("S1", "::ffff:127.0.0.1", Forbidden),
            ("S1", "::ffff:8.8.8.8", Forbidden),
            ("S1", "::127.0.0.1", Forbidden),
            ("S2", "10.0.0.0", Private),
            ("S2", "10.255.255.255", Private),
            ("S2", "172.16.0.1", Private),
            ("S2", "172.31.255.255", Private),
            ("S2", "192.168.1.1", Private),
            ("S2", "100.64.0.1", Private),
            ("S2", "100.127.255.255", Private),
            ("S2", "192.0.0.192", Forbidden),
            ("S2", "192.0.2.1", Forbidden),
            ("S2", "198.18.0.1", Forbidden),
            ("S2", "198.19.255.255", Forbidden),
            ("S2", "198.51.100.1", Forbidden),
            ("S2", "203.0.113.1", Forbidden),
            ("S2", "224.0.0.1", Forbidden),
            ("S2", "240.0.0.1", Forbidden),
            ("S2", "255.255.255.255", Forbidden),
            ("S3", "169.254.169.254", Forbidden),
            ("S3", "168.63.129.16", Forbidden),
            ("S3", "100.100.100.200", Forbidden),
            ("S3", "fd00:ec2::254", Forbidden),
            ("S4", "64:ff9b::7f00:1", Forbidden),
            ("S4", "64:ff9b:1::1", Forbidden),
            ("S4", "2002:7f00:1::1", Forbidden),
            ("S4", "2001:0:7f00:1::", Forbidden),
            ("S4", "2001:db8::1", Forbidden),
            ("S4", "3fff::1", Forbidden),
            ("S4", "fc00::1", Private),
            ("S4", "fdff::1", Private),
            ("S4", "fe80::1", Forbidden),
            ("S4", "febf::1", Forbidden),
            ("S4", "fec0::1", Forbidden),
            ("S4", "ff02::1", Forbidden),
            ("S4", "100::1", Forbidden),
            ("S4", "4000::1", Forbidden),
            // Valid neighbours of the ranges above.
            ("ok", "8.8.8.8", Public),
            ("ok", "9.255.255.255", Public),
            ("ok", "11.0.0.0", Public),
            ("ok", "172.15.255.255", Public),
            ("ok", "172.32.0.0", Public),
            ("ok", "100.63.255.255", Public),
            ("ok", "100.128.0.0", Public),
            ("ok", "192.0.1.1", Public),
            ("ok", "198.17.255.255", Public),
            ("ok", "198.20.0.0", Public),
            ("ok", "223.255.255.255", Public),
            ("ok", "2606:4700::1111", Public),
            ("ok", "2001:4860::8888", Public),
            ("ok", "2001:200::1", Public),
            ("ok", "3ffe::1", Public),
            ("ok", "3fff:1000::1", Public),
        ];
        for (row, address, class) in rows {
            assert_eq!(AddressClass::of(address.parse().unwrap()), class, "{row} {address}");
        }
    }
}
