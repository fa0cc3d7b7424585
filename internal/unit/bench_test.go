package unit_test

import (
	"testing"

	"ctl/internal/unit"
)

// typical is a unit file as packages ship them.
const typical = `# SPDX-License-Identifier: LGPL-2.1-or-later
#
#  This file is a sample.

[Unit]
Description=A daemon that serves something
Documentation=man:daemon(8) https://example.org/
After=network.target nss-lookup.target
Wants=nss-lookup.target
ConditionPathExists=!/etc/daemon/not-to-be-run

[Service]
Type=notify
EnvironmentFile=-/etc/default/daemon
ExecStartPre=/usr/sbin/daemon -t
ExecStart=/usr/sbin/daemon -D $OPTIONS
ExecReload=/bin/kill -HUP $MAINPID
KillMode=process
Restart=on-failure
SystemCallFilter=@system-service \
  ~@privileged \
  ~@resources
RuntimeDirectory=daemon
RuntimeDirectoryMode=0755

[Install]
WantedBy=multi-user.target
Alias=served.service
`

func BenchmarkParse(b *testing.B) {
	data := []byte(typical)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		err := unit.Parse(data, unit.InstallSections, func(_, _, _ string, _ int) { n++ }, func(int, string) { b.Fatal("warned") })
		if err != nil || n != 2 {
			b.Fatal(err, n)
		}
	}
}

func BenchmarkKindOf(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if unit.KindOf("systemd-networkd-persistent-storage@tty1.service") != unit.Instance {
			b.Fatal("no instance")
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	rules := unit.ParsePreset([]byte("disable a.service\nenable systemd-*.service\nenable getty@.service tty1 tty2\ndisable *\n"), nil)
	b.ReportAllocs()
	for b.Loop() {
		if a, _ := rules.Match("nginx.service"); a != unit.Disable {
			b.Fatal(a)
		}
	}
}
