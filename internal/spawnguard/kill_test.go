package spawnguard

import (
	"strconv"
	"strings"
	"testing"

	"ctl/internal/oracle"
)

// crowd is a container with many processes, which need a while to die.
const crowd = ` sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do sleep 7777 & done; wait; : 7777'`

// TestKill kills the supervisor at any moment: the container dies with it, the tree is locked until it has, and the next start works
// and removes what is left.
func TestKill(t *testing.T) {
	for name, options := range map[string]string{
		"plain": "$plain -D t", "hardened": "$hard -D t", "users": "$plain -U -D t", "pipe": "$plain --pipe -D t", "stub": "$plain -a -D t",
		"veth": "$plain -n -D t", "zone": "$plain --network-zone=z -D t", "pairs": "$plain --network-veth-extra=x:y -n -p 80 -D t",
		"over": "$plain --network-macvlan=p0 --network-bridge=br0 -D t", "ephemeral": "$plain -x -D t", "volatile": "$plain --volatile=overlay -D t",
	} {
		t.Run(name, func(t *testing.T) {
			lock := "/var/lib/machines/.#t.lck"
			if name == "ephemeral" || name == "volatile" {
				lock = "''"
			}
			r := hostile(t, oracle.HostCall{Setup: "ip link add p0 type ifb; ip link add br0 type bridge", Script: "/ctl/attack killer 30 1200 7777 " + lock + " " + options + crowd + `
timeout 20 ` + options + ` /usr/bin/true; echo "$?."; ls -A /tmp /var/tmp /var/lib/machines`}, "killed: 30", "0.")
			if strings.Contains(r.Stdout, "alive") {
				t.Error(r.Stdout)
			}
		})
	}
}

// TestKillImage: the same of an image, whose loop devices go too.
func TestKillImage(t *testing.T) {
	h := host(t)
	h.Images(t)
	const start = "$plain -i killed.raw"
	r := hostile(t, oracle.HostCall{Setup: oracle.ImageSetup + "mv bare.raw killed.raw\n", Script: "/ctl/attack killer 40 900 7777 '/var/lib/machines/.#killed.raw.lck' " + start + crowd + `
timeout 20 ` + start + ` /usr/bin/true; echo "$?."; grep -l killed.raw /sys/block/loop*/loop/backing_file; ls -A /tmp /var/tmp`}, "killed: 40", "0.")
	if strings.Contains(r.Stdout, "alive") || strings.Contains(r.Stdout, "backing_file") {
		t.Error(r.Stdout)
	}
}

// TestKillForwarding kills a supervisor that forwards a port: the next one that forwards any removes what leads nowhere.
func TestKillForwarding(t *testing.T) {
	const serve = ` -D t --console=passive sh -c 'busybox ip addr add 10.0.0.2/24 dev host0; busybox ip link set host0 up; while :; do echo reached | busybox nc -l -p 80; done' & s=$!
until ip addr add 10.0.0.1/24 dev ve-t; do sleep 0.05; done 2>/dev/null; ip link set ve-t up
`
	r := hostile(t, oracle.HostCall{Script: `reach() { busybox nc -w 2 10.0.0.1 $1 </dev/null 2>/dev/null; }
$plain -n -p 1000:80` + serve + `until reach 1000; do sleep 0.1; done; kill -9 $s; wait
until $plain -D t /usr/bin/true; do sleep 0.05; done 2>/dev/null
$plain -n -p 1001:80` + serve + `until reach 1001; do sleep 0.1; done; reach 1000 || echo "not any more"
kill $s; wait`}, "reached\nreached\nnot any more\n")
	if strings.Count(r.Stdout, "reached") != 2 {
		t.Error(r.Stdout)
	}
}

// TestSignals: SIGHUP, SIGQUIT, SIGTERM, SIGINT, a terminal that is closed, nobody who reads: the container ends, and nothing is left.
func TestSignals(t *testing.T) {
	for _, signal := range []string{"1", "2", "3", "15"} {
		for _, tty := range []bool{false, true} {
			hostile(t, oracle.HostCall{TTY: tty, Script: "exec $plain -D t sh -c 'echo it runs; sleep 7777'",
				Steps: []oracle.Step{{Do: "expect", Text: "it runs"}, {Do: "signal", Text: signal}}})
		}
	}
	hostile(t, oracle.HostCall{Script: "$plain -D t sh -c 'while echo y; do :; done' | head -1; $plain --pipe -D t sh -c 'while echo y; do :; done' | head -1"}, "y\ny\n")
}

// TestMany: 500 starts in a row; 100 containers at once, or 300 (oracle.All), a fifth of them of copies and with a network.
func TestMany(t *testing.T) {
	for range 5 { // a host has a minute
		hostile(t, oracle.HostCall{Script: "/ctl/attack repeat 100 $plain --pipe -D t /usr/bin/true"}, "became slower: false")
	}
	n := 100
	if oracle.All() {
		n = 300
	}
	hostile(t, oracle.HostCall{Setup: "mkdir t/srv/go /run/go", Script: "for i in $(seq " + strconv.Itoa(n) + `); do
	[ $((i % 5)) = 0 ] && o='-n -x' || o=--read-only
	$plain --pipe $o -M m$i -D t --bind=/run/go:/srv/go sh -c ': >/srv/go/$(hostname); until [ -e /srv/go/now ]; do sleep 0.2; done; echo done' & done
until [ $(ls /run/go | wc -l) -ge ` + strconv.Itoa(n) + ` ]; do sleep 0.1; done; touch /run/go/now; wait; rm /run/go/*`}, strings.Repeat("done\n", n))
}
