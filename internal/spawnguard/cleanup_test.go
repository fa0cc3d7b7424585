package spawnguard

import (
	"testing"

	"ctl/internal/oracle"
)

// TestCleanup: an ephemeral copy whose supervisor was killed, and one that was not complete by then, are removed by --cleanup, which by
// systemd-nspawn's name is about less, and by the next start of a copy of that tree.
func TestCleanup(t *testing.T) {
	hostile(t, oracle.HostCall{Setup: "mkdir t/srv/many; cd t/srv/many; for i in $(seq 3000); do echo $i >$i; done", Script: `copies() { ls -A | grep '^\.#snapshot' | grep -vc 'lck$'; }
K="-q --keep-unit --register=no -x -U -D t"
try() {
	$1 $K sleep 7777 & p=$!
	until pgrep -xf 'sleep 7777' >/dev/null; do sleep 0.01; done; kill -9 $p; wait $p
	while pgrep -xf 'sleep 7777' >/dev/null; do sleep 0.01; done; echo "running: $(copies)"
	until $2 && [ $(copies) = 0 ]; do sleep 0.01; done; echo "cleaned: $(copies)"
	$1 $K true & p=$!
	until ls -A | grep -q '^\.#snapshot'; do :; done; kill -9 $p; wait $p
	until $2 && [ $(copies) = 0 ]; do sleep 0.01; done; echo "half: $(copies)"
}
try "/ctl/ctl spawn" "/ctl/ctl spawn --cleanup -D t" 2>/dev/null
try /ctl/systemd-nspawn "/ctl/systemd-nspawn $K true" 2>/dev/null
$plain -D t /usr/bin/true; ls -A`}, "running: 1\ncleaned: 0\nhalf: 0\nrunning: 1\ncleaned: 0\nhalf: 0\nt\n")
}
