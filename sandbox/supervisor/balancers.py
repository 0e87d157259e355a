"""Balancers: an address each, whose listeners' connections the kernel passes on to a target (destination NAT).

As behind an NLB, targets see the client's address. Names go into the machine's /etc/hosts and the sandbox's resolver.
"""

import threading
from pathlib import Path

from supervisor import hosts
from supervisor.places import Places, program_environment
from supervisor.process import run

FIRST, LAST = 10, 250


class Balancers:
    def __init__(self, places: Places):
        self._places = places
        self._lock = threading.Lock()
        self._active: dict[str, tuple[str, list]] = {}  # DNS name -> (address, listeners)
        self._names = places.state / "resolver" / "hosts"
        self._write_names()

    def start(self, dns_name: str, listeners: list) -> None:
        with self._lock:
            known = self._active.get(dns_name)
            address = known[0] if known else self._free_address()
            if not known:
                run("ip", "addr", "add", f"{address}/32", "dev", "eth0")
            self._active[dns_name] = (address, list(listeners))
            self._write_rules()
            self._write_names()

    def stop(self, dns_name: str) -> None:
        with self._lock:
            known = self._active.pop(dns_name, None)
            if known:
                self._write_names()
                self._write_rules()
                run("ip", "addr", "del", f"{known[0]}/32", "dev", "eth0")

    def addresses(self) -> dict[str, str]:
        return {name: address for name, (address, _) in self._active.items()}

    def _free_address(self) -> str:
        taken = {address for address, _ in self._active.values()}
        for last in range(FIRST, LAST):
            address = f"198.18.{self._places.number}.{last}"
            if address not in taken:
                return address
        raise RuntimeError(f"more than {LAST - FIRST} balancers in one sandbox")

    def _write_names(self) -> None:
        names = self.addresses()
        self._names.parent.mkdir(parents=True, exist_ok=True)
        self._names.write_text("".join(f"{address} {name}\n" for name, address in sorted(names.items())))
        hosts.change(str(self._places.state), names)

    def _write_rules(self) -> None:
        nat, filters = [], []
        for address, listeners in self._active.values():
            for listener in listeners:
                for left, (ip, port) in zip(range(len(listener.targets), 0, -1), listener.targets):
                    # An even choice among the targets that are left: 1/n, then 1/(n-1), and the last one always.
                    choice = f" -m statistic --mode random --probability {1 / left:.6f}" if left > 1 else ""
                    nat.append(f"-A BALANCERS -d {address}/32 -p tcp --dport {listener.port}{choice} -j DNAT --to-destination {ip}:{port}")
            # Servers that listen on every address of the sandbox must not answer on a balancer's.
            filters.append(f"-A INPUT -d {address}/32 -p tcp -j REJECT --reject-with tcp-reset")
        restore("nat", ["-A PREROUTING -j BALANCERS", "-A OUTPUT -j BALANCERS", *nat], chains=["BALANCERS"])
        restore("filter", filters)


def restore(table: str, rules: list[str], chains: list[str] = ()) -> None:
    """Replace a table's rules in one step."""
    builtin = {"nat": ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"], "filter": ["INPUT", "FORWARD", "OUTPUT"]}[table]
    lines = [f"*{table}", *(f":{chain} ACCEPT [0:0]" for chain in builtin), *(f":{chain} - [0:0]" for chain in chains), *rules, "COMMIT"]
    run("iptables-restore", environment=program_environment(), stdin="\n".join(lines) + "\n")
