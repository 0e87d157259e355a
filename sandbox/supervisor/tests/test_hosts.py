"""What a sandbox writes into the machine's hosts file, and what it takes away again."""

import tempfile
import unittest
from pathlib import Path

from supervisor import hosts

OURS = "127.0.0.1 localhost\n10.0.0.1 printer"


class Hosts(unittest.TestCase):
    def setUp(self) -> None:
        self.file = Path(tempfile.mkstemp()[1])
        self.addCleanup(self.file.unlink)
        self.file.write_text(OURS)

    def test_lines_come_and_go_and_the_rest_stays(self) -> None:
        hosts.change("/a", {"b.elb": "198.18.1.10"}, self.file)
        hosts.change("/b", {"c.elb": "198.18.2.10"}, self.file)
        self.assertEqual(hosts.owners(self.file), {"/a", "/b"})
        hosts.change("/a", {"b.elb": "198.18.1.11"}, self.file)
        self.assertIn("198.18.1.11 b.elb", self.file.read_text())
        self.assertNotIn("198.18.1.10", self.file.read_text())
        hosts.change("/a", {}, self.file)
        hosts.change("/b", {}, self.file)
        self.assertEqual(self.file.read_text().rstrip("\n"), OURS)

    def test_nothing_to_take_away_writes_nothing(self) -> None:
        before = self.file.stat().st_mtime_ns
        hosts.change("/a", {}, self.file)
        self.assertEqual(self.file.stat().st_mtime_ns, before)
        self.assertEqual(self.file.read_text(), OURS)

    def test_a_state_directory_is_not_its_neighbour(self) -> None:
        hosts.change("/state/a", {"x": "198.18.1.10"}, self.file)
        hosts.change("/other/state/a", {}, self.file)
        hosts.change("/a", {}, self.file)
        self.assertEqual(hosts.owners(self.file), {"/state/a"})
