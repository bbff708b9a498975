//! Which addresses are out on the internet. A name that leads anywhere else
//! could make the proxy hand its credential to a machine of ours.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What is not out there (IANA's IPv4 Special-Purpose Address Registry, RFC 6890).
const PRIVATE_V4: [(Ipv4Addr, u32); 17] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),       // this network, RFC 791 §3.2
    (Ipv4Addr::new(10, 0, 0, 0), 8),      // private use, RFC 1918
    (Ipv4Addr::new(100, 64, 0, 0), 10),   // carriers' shared space, RFC 6598
    (Ipv4Addr::new(127, 0, 0, 0), 8),     // loopback, RFC 1122 §3.2.1.3
    (Ipv4Addr::new(169, 254, 0, 0), 16),  // link-local, RFC 3927: instance metadata is here
    (Ipv4Addr::new(172, 16, 0, 0), 12),   // private use, RFC 1918
    (Ipv4Addr::new(192, 0, 0, 0), 24),    // protocol assignments, RFC 6890 §2.1
    (Ipv4Addr::new(192, 0, 2, 0), 24),    // documentation, RFC 5737
    (Ipv4Addr::new(192, 31, 196, 0), 24), // AS112, RFC 7535
    (Ipv4Addr::new(192, 52, 193, 0), 24), // AMT, RFC 7450
    (Ipv4Addr::new(192, 88, 99, 0), 24),  // 6to4 relays, RFC 7526
    (Ipv4Addr::new(192, 168, 0, 0), 16),  // private use, RFC 1918
    (Ipv4Addr::new(192, 175, 48, 0), 24), // AS112, RFC 7534
    (Ipv4Addr::new(198, 18, 0, 0), 15),   // benchmarks, RFC 2544
    (Ipv4Addr::new(198, 51, 100, 0), 24), // documentation, RFC 5737
    (Ipv4Addr::new(203, 0, 113, 0), 24),  // documentation, RFC 5737
    (Ipv4Addr::new(224, 0, 0, 0), 3),     // multicast, RFC 5771; reserved, RFC 1112 §4; broadcast, RFC 919
];

/// Global unicast (RFC 4291 §2.4): all that is out there is in it.
const GLOBAL_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// What of it is not (IANA's IPv6 Special-Purpose Address Registry).
const PRIVATE_V6: [(Ipv6Addr, u32); 5] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments, RFC 2928; Teredo, RFC 4380
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation, RFC 3849
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4, RFC 3056: leads to any IPv4 address
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48), // AS112, RFC 7534
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation, RFC 9637
];

/// Where DNS64 puts IPv4 addresses (RFC 6052 §2.1): what they are counts.
const NAT64: (Ipv6Addr, u32) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// Whether an address is out on the internet.
///
/// ```
/// use countersign::wire::address::is_public;
/// assert!(is_public("140.82.121.6".parse().unwrap()));
/// assert!(!is_public("169.254.169.254".parse().unwrap()));
/// ```
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) if is_in_v6(address, NAT64) => {
            let [.., a, b, c, d] = address.octets();
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        // Mapped addresses (RFC 4291 §2.5.5.2) are no global unicast: nobody
        // out there has one, whatever it maps.
        IpAddr::V6(address) => {
            is_in_v6(address, GLOBAL_V6) && !PRIVATE_V6.iter().any(|range| is_in_v6(address, *range))
        }
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !PRIVATE_V4.iter().any(|range| is_in_v4(address, *range))
}

fn is_in_v4(address: Ipv4Addr, (network, length): (Ipv4Addr, u32)) -> bool {
    let differing = address.to_bits() ^ network.to_bits();
    length <= differing.leading_zeros()
}

fn is_in_v6(address: Ipv6Addr, (network, length): (Ipv6Addr, u32)) -> bool {
    let differing = address.to_bits() ^ network.to_bits();
    length <= differing.leading_zeros()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A range, and whether the addresses just below and just above it are public.
    type Row = (&'static str, [bool; 2]);

    /// IANA's IPv4 Special-Purpose Address Registry, every row of it, and
    /// multicast, which has a registry of its own.
    const V4: [Row; 29] = [
        ("0.0.0.0/8", [false, true]),
        ("0.0.0.0/32", [false, false]),
        ("10.0.0.0/8", [true, true]),
        ("100.64.0.0/10", [true, true]),
        ("127.0.0.0/8", [true, true]),
        ("169.254.0.0/16", [true, true]),
        ("172.16.0.0/12", [true, true]),
        ("192.0.0.0/24", [true, true]),
        ("192.0.0.0/29", [true, false]),
        ("192.0.0.8/32", [false, false]),
        ("192.0.0.9/32", [false, false]),
        ("192.0.0.10/32", [false, false]),
        ("192.0.0.170/31", [false, false]),
        ("192.0.0.192/32", [false, false]), // Oracle's metadata
        ("192.0.2.0/24", [true, true]),
        ("192.31.196.0/24", [true, true]),
        ("192.52.193.0/24", [true, true]),
        ("192.88.99.0/24", [true, true]),
        ("192.88.99.2/32", [false, false]),
        ("192.168.0.0/16", [true, true]),
        ("192.175.48.0/24", [true, true]),
        ("198.18.0.0/15", [true, true]),
        ("198.51.100.0/24", [true, true]),
        ("203.0.113.0/24", [true, true]),
        ("224.0.0.0/4", [true, false]),
        ("240.0.0.0/4", [false, false]),
        ("255.255.255.255/32", [false, false]),
        ("169.254.169.254/32", [false, false]), // AWS's metadata, and most others'
        ("100.100.100.200/32", [false, false]), // Alibaba's
    ];

    /// IANA's IPv6 Special-Purpose Address Registry, every row of it but that
    /// of NAT64; what is deprecated, and what was never given out.
    const V6: [Row; 33] = [
        ("::/128", [false, false]),
        ("::1/128", [false, false]),
        ("::/96", [false, false]), // IPv4-compatible, RFC 4291 §2.5.5.1
        ("::ffff:0:0/96", [false, false]),
        ("::ffff:0:0:0/96", [false, false]), // IPv4-translated, RFC 2765 §2.1
        ("64:ff9b:1::/48", [false, false]),
        ("100::/64", [false, false]),
        ("100:0:0:1::/64", [false, false]),
        ("2001::/23", [true, true]),
        ("2001::/32", [true, false]), // Teredo
        ("2001:1::1/128", [false, false]),
        ("2001:1::2/128", [false, false]),
        ("2001:1::3/128", [false, false]),
        ("2001:2::/48", [false, false]),
        ("2001:3::/32", [false, false]),
        ("2001:4:112::/48", [false, false]),
        ("2001:10::/28", [false, false]),
        ("2001:20::/28", [false, false]),
        ("2001:30::/28", [false, false]),
        ("2001:db8::/32", [true, true]),
        ("2002::/16", [true, true]), // 6to4
        ("2620:4f:8000::/48", [true, true]),
        ("3fff::/20", [true, true]),
        ("5f00::/16", [false, false]),
        ("fc00::/7", [false, false]),
        ("fe80::/10", [false, false]),
        ("fec0::/10", [false, false]), // site-local, RFC 3879
        ("ff00::/8", [false, false]),
        ("::/3", [false, true]),
        ("4000::/2", [true, false]),
        ("8000::/1", [false, false]),
        ("fd00:ec2::254/128", [false, false]), // AWS's metadata
        ("fd20:ce::254/128", [false, false]),  // Google's
    ];

    /// `bits`: how long an address is. `public`: asks of one that is a number.
    fn check((range, beside): Row, first: u128, bits: u32, public: fn(u128) -> bool) {
        let length: u32 = range.split_once('/').unwrap().1.parse().unwrap();
        let size = 1 << (bits - length);
        let (last, end) = (first + (size - 1), u128::MAX >> (128 - bits));
        assert_eq!(first % size, 0, "{range} is no range");
        for within in [first, first + size / 2, last] {
            assert!(!public(within), "{range}");
        }
        let below = first.checked_sub(1).is_some_and(public);
        let above = last < end && public(last + 1);
        assert_eq!([below, above], beside, "{range}");
    }

    #[test]
    fn no_special_range_is_public_and_what_is_just_outside_is() {
        let network = |(range, _): Row| range.split('/').next().unwrap();
        for row in V4 {
            let first: Ipv4Addr = network(row).parse().unwrap();
            check(row, first.to_bits().into(), 32, |bits| is_public(Ipv4Addr::from_bits(bits as u32).into()));
        }
        for row in V6 {
            let first: Ipv6Addr = network(row).parse().unwrap();
            check(row, first.to_bits(), 128, |bits| is_public(Ipv6Addr::from_bits(bits).into()));
        }
    }

    #[test]
    fn an_address_within_nat64_counts_as_what_it_leads_to() {
        let within = |v4: Ipv4Addr| {
            let [a, b, c, d] = v4.octets();
            let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            IpAddr::from(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low))
        };
        for (range, _) in V4 {
            let network: Ipv4Addr = range.split('/').next().unwrap().parse().unwrap();
            assert!(!is_public(within(network)), "{range}");
        }
        for public in ["8.8.8.8", "140.82.121.6", "11.0.0.0", "223.255.255.255"] {
            assert!(is_public(within(public.parse().unwrap())), "{public}");
        }
        for beside in ["64:ff9a:ffff:ffff:ffff:ffff:808:808", "64:ff9b::1:808:808"] {
            assert!(!is_public(beside.parse().unwrap()), "{beside}");
        }
    }

    #[test]
    fn addresses_of_well_known_services_are_public() {
        for address in ["1.1.1.1", "140.82.121.6", "2606:4700:4700::1111", "2a00:1450:4001:81b::200e"] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
        // Mapped, they are nobody's out there.
        assert!(!is_public("::ffff:1.1.1.1".parse().unwrap()));
    }
}
