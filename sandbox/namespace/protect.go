package namespace

import (
	"slices"

	"golang.org/x/sys/unix"

	"ctl/sandbox/mount"
	"ctl/sandbox/service"
)

// A row is a path of a setting that has a list of them.
type row struct {
	path     string
	kind     Kind
	optional bool
}

func (l *list) rows(why string, rows ...row) {
	for _, r := range rows {
		l.add(why, Mount{Path: r.path, Kind: r.kind, Optional: r.optional})
	}
}

var (
	tunables = [...]row{
		{"/proc/acpi", ReadOnly, true}, {"/proc/apm", ReadOnly, true}, {"/proc/asound", ReadOnly, true}, {"/proc/bus", ReadOnly, true},
		{"/proc/fs", ReadOnly, true}, {"/proc/irq", ReadOnly, true}, {"/proc/kallsyms", Inaccessible, true}, {"/proc/kcore", Inaccessible, true},
		{"/proc/latency_stats", ReadOnly, true}, {"/proc/mtrr", ReadOnly, true}, {"/proc/scsi", ReadOnly, true}, {"/proc/sys", ReadOnly, true},
		{"/proc/sysrq-trigger", ReadOnly, true}, {"/proc/timer_stats", ReadOnly, true},
		{"/sys", ReadOnly, false}, {"/sys/fs/bpf", ReadOnly, true}, {"/sys/fs/cgroup", Writable, false}, {"/sys/fs/selinux", Writable, true},
		{"/sys/kernel/debug", ReadOnly, true}, {"/sys/kernel/tracing", ReadOnly, true},
	}
	system       = [...]row{{"/usr", ReadOnly, false}, {"/boot", ReadOnly, true}, {"/efi", ReadOnly, true}}
	strictSystem = [...]row{{"/", ReadOnly, false}, {"/proc", Writable, false}, {"/sys", Writable, false}, {"/dev", Writable, false},
		{"/home", Writable, true}, {"/run/user", Writable, true}, {"/root", Writable, true}}
	homes = [...]string{"/home", "/run/user", "/root"}
)

// protect adds what PrivateTmp= and the settings Protect…= ask for.
func (q *Request) protect(l *list) {
	e := q.Exec
	switch {
	case e.PrivateTmp == "disconnected" && e.VarTmp() == "disconnected": // one memory for both
		l.add("PrivateTmp=", Mount{Path: "/tmp", Source: "tmp", Kind: Bind}, Mount{Path: "/var/tmp", Source: "var-tmp", Kind: Bind})
	case e.PrivateTmp == "disconnected":
		l.add("PrivateTmp=", Mount{Path: "/tmp", Kind: Tmpfs, Attr: unix.MOUNT_ATTR_NODEV | strict, Options: append([]string{"mode=0700"}, limited[:]...)})
	}
	for _, t := range [...][2]string{{q.Tmp, "/tmp"}, {q.VarTmp, "/var/tmp"}} {
		if t[0] != "" {
			l.add("PrivateTmp=", Mount{Path: t[1], Source: t[0], Kind: PrivateTmp})
		}
	}
	if e.PrivateDevices {
		l.add("PrivateDevices=", Mount{Path: "/dev", Kind: PrivateDev})
	}
	if e.ProtectKernelTunables {
		l.rows("ProtectKernelTunables=", tunables[:]...)
	}
	if e.ProtectKernelModules {
		l.rows("ProtectKernelModules=", row{"/usr/lib/modules", Inaccessible, true})
	}
	if e.ProtectKernelLogs {
		l.rows("ProtectKernelLogs=", row{"/proc/kmsg", Inaccessible, true}, row{"/dev/kmsg", Inaccessible, true})
	}
	switch e.ProtectControlGroups {
	case "yes":
		l.rows("ProtectControlGroups=", row{"/sys/fs/cgroup", ReadOnly, false})
	case "private", "strict":
		l.add("ProtectControlGroups=", Mount{Path: "/sys/fs/cgroup", Source: "/sys/fs/cgroup", Kind: PrivateCgroup, ReadOnly: e.ProtectControlGroups == "strict"})
	}
	q.protectHome(l)
	q.protectSystem(l)
	if q.apiFileSystems() || on(e.ProtectControlGroups) || e.ProtectKernelTunables || on(e.ProtectProc) || on(e.ProcSubset) || e.PrivatePIDs || on(e.PrivateBPF) {
		l.add(q.whyProc(), Mount{Path: "/proc", Source: "/proc", Kind: Proc, Options: procOptions(e)})
		l.add("MountAPIVFS=", Mount{Path: "/dev", Source: "/dev", Kind: HostDev}, Mount{Path: "/sys", Source: "/sys", Kind: HostSys},
			Mount{Path: "/run", Kind: Run, Attr: unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | strict, Options: []string{"mode=0755", "size=20%", "nr_inodes=800k"}})
	}
	if on(e.PrivateBPF) {
		l.add("PrivateBPF=", Mount{Path: "/sys/fs/bpf", Source: "/sys/fs/bpf", Kind: BPF})
	}
	if on(e.ProtectHostname) {
		l.rows("ProtectHostname=", row{"/proc/sys/kernel/hostname", ReadOnly, true}, row{"/proc/sys/kernel/domainname", ReadOnly, true})
	}
	if e.PrivateNetwork || e.NetworkNamespacePath != "" {
		l.add("PrivateNetwork=", Mount{Path: "/sys", Source: "/sys", Kind: PrivateSys})
	}
	if e.PrivateIPC || e.IPCNamespacePath != "" {
		l.add("PrivateIPC=", Mount{Path: "/dev/mqueue", Source: "/dev/mqueue", Kind: MessageQueues, Attr: api})
	}
}

func (q *Request) whyProc() string {
	switch e := q.Exec; {
	case on(e.ProtectProc):
		return "ProtectProc="
	case on(e.ProcSubset):
		return "ProcSubset="
	case e.PrivatePIDs:
		return "PrivatePIDs="
	}
	return "MountAPIVFS="
}

func procOptions(e *service.Exec) []string {
	var l []string
	if on(e.ProtectProc) {
		l = append(l, "hidepid="+e.ProtectProc)
	}
	if e.ProcSubset == "pid" {
		l = append(l, "subset=pid")
	}
	return l
}

func (q *Request) protectHome(l *list) {
	const why = "ProtectHome="
	for _, h := range homes {
		switch q.Exec.ProtectHome {
		case "yes":
			l.rows(why, row{h, Inaccessible, true})
		case "read-only":
			l.rows(why, row{h, ReadOnly, true})
		case "tmpfs":
			mode := "mode=0755"
			if h == "/root" {
				mode = "mode=0700"
			}
			l.add(why, Mount{Path: h, Kind: Tmpfs, ReadOnly: true, Optional: true, Attr: unix.MOUNT_ATTR_NODEV | strict, Options: append([]string{mode}, empty[:]...)})
		}
	}
}

func (q *Request) protectSystem(l *list) {
	const why = "ProtectSystem="
	switch q.Exec.ProtectSystem {
	case "strict":
		l.rows(why, strictSystem[:]...)
	case "full":
		l.rows(why, row{"/etc", ReadOnly, false})
		fallthrough
	case "yes":
		l.rows(why, system[:]...)
	}
}

// temporary is a file system in memory with options as mount(8) has them.
func temporary(t service.Temporary) Mount {
	attr, options := mount.Split(t.Options, unix.MOUNT_ATTR_NODEV|strict)
	return Mount{Path: t.Path, Kind: Tmpfs, Attr: attr &^ unix.MOUNT_ATTR_RDONLY, ReadOnly: attr&unix.MOUNT_ATTR_RDONLY != 0,
		Options: slices.Concat([]string{"mode=0755"}, limited[:], options)}
}
