//! What listens in a pod: all of its containers share one network, so that one of them tells for all.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The ports that a pod of ours is meant to have, and whose they are.
pub(super) const MEANT: [(u16, &str); 9] = [
    (8000, "Triton: HTTP"),
    (8001, "Triton: gRPC"),
    (8002, "Triton: metrics"),
    (8080, "gateway: WebSocket, /healthz, /readyz"),
    (8081, "gateway: admin"),
    (8082, "gateway: health, for the kubelet"),
    (8083, "gateway: metrics of both programs, for what scrapes pods"),
    (8084, "gateway: Triton's HTTP, read-only, where workload.expose names http"),
    (8085, "gateway: Triton's metrics, where workload.expose names metrics"),
];

/// The state of a socket that listens (`include/net/tcp_states.h`).
const LISTEN: &str = "0A";

/// Addresses by port, as `/proc/net/tcp` and `/proc/net/tcp6` name them.
pub(super) fn listening(table: &str) -> BTreeMap<u16, Vec<IpAddr>> {
    let mut ports: BTreeMap<u16, Vec<IpAddr>> = BTreeMap::new();
    for line in table.lines() {
        let mut fields = line.split_whitespace().skip(1);
        let (Some(local), Some(LISTEN)) = (fields.next(), fields.nth(1)) else { continue };
        let Some((address, port)) = local.split_once(':') else { continue };
        if let (Some(address), Ok(port)) = (parsed(address), u16::from_str_radix(port, 16)) {
            let addresses = ports.entry(port).or_default();
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
    }
    ports
}

/// Each 32 bits as this little-endian machine holds them.
fn parsed(hex: &str) -> Option<IpAddr> {
    if !hex.is_ascii() || !matches!(hex.len(), 8 | 32) {
        return None;
    }
    let word = |at: usize| u32::from_str_radix(&hex[at..at + 8], 16).ok().map(u32::swap_bytes);
    if hex.len() == 8 {
        return word(0).map(|bits| Ipv4Addr::from(bits).into());
    }
    let bits = [0, 8, 16, 24].into_iter().try_fold(0u128, |bits, at| Some(bits << 32 | u128::from(word(at)?)))?;
    Some(Ipv6Addr::from(bits).to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_listens_is_read_as_the_kernel_writes_it() {
        let table = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 11 1 0
   1: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 12 1 0
   2: 0100007F:1F40 0100007F:D431 01 00000000:00000000 00:00000000 00000000  1000        0 13 1 0
   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000
   1: 00000000000000000000000001000000:1F91 00000000000000000000000000000000:0000 0A 00000000:00000000
   2: nonsense:1F91 x 0A";
        let told: Vec<(u16, Vec<String>)> = listening(table)
            .into_iter()
            .map(|(port, addresses)| (port, addresses.iter().map(ToString::to_string).collect()))
            .collect();
        let of = |addresses: &[&str]| addresses.iter().map(|address| (*address).to_owned()).collect::<Vec<_>>();
        assert_eq!(told, [(8000, of(&["127.0.0.1"])), (8080, of(&["0.0.0.0", "::"])), (8081, of(&["::1"]))]);
    }
}
