package main

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// mounts tells the table of mounts. Their numbers are not told, and of a bind mount's root only the last name.
func mounts(r *report) {
	data, _ := os.ReadFile("/proc/self/mountinfo")
	point := make(map[string]string)
	peers := make(map[string]int)
	type row struct{ point, text string }
	var rows []row
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		point[f[0]] = f[4]
		dash := slices.Index(f, "-")
		optional := ""
		for _, o := range f[6:dash] {
			kind, id, _ := strings.Cut(o, ":")
			if kind == "shared" {
				peers[id]++
			}
			optional += " " + kind
		}
		above, ok := point[f[1]]
		if !ok {
			above = "?"
		}
		root := f[3]
		if root != "/" {
			root = ".../" + filepath.Base(root)
		}
		options := strings.Split(f[len(f)-1], ",")
		for i, o := range options {
			if name, _, ok := strings.Cut(o, "dir="); ok && f[dash+1] == "overlay" {
				options[i] = name + "dir=..."
			}
		}
		rows = append(rows, row{f[4], fmt.Sprintf("on %s root %s %s%s - %s %s %s", above, root, f[5], optional, f[dash+1], f[dash+2], strings.Join(options, ","))})
	}
	slices.SortStableFunc(rows, func(a, b row) int { return strings.Compare(a.point, b.point) })
	for _, m := range rows {
		r.say(m.point, m.text)
	}
	shared := 0
	for _, n := range peers {
		if n > 1 {
			shared++
		}
	}
	r.say("groups of several", shared)
}

// list tells of all that is below a directory on its file system, the texts of small files too.
func list(r *report, dir string, texts bool) {
	var top unix.Stat_t
	if err := unix.Stat(dir, &top); err != nil {
		r.say(dir, err)
		return
	}
	_ = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			r.say(p, err)
			return nil
		}
		var st unix.Stat_t
		if err := unix.Lstat(p, &st); err != nil {
			r.say(p, err)
			return nil
		}
		text := fmt.Sprintf("%06o %d:%d", st.Mode, st.Uid, st.Gid)
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFLNK:
			to, _ := os.Readlink(p)
			text += " → " + to
		case unix.S_IFCHR, unix.S_IFBLK:
			text += fmt.Sprintf(" %d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
		case unix.S_IFREG:
			if texts && st.Size < 4096 {
				data, err := os.ReadFile(p)
				text += fmt.Sprintf(" %q", data)
				if err != nil {
					text += " " + err.Error()
				}
			}
		}
		r.say(p, text)
		if d.IsDir() && st.Dev != top.Dev {
			return fs.SkipDir
		}
		return nil
	})
}

func dev(r *report) {
	list(r, "/dev", false)
	list(r, "/dev/pts", false)
}

func run(r *report) {
	list(r, "/run", true)
	for _, d := range []string{"/run/host/unix-export", "/run/host/incoming", "/run/host/credentials", "/tmp"} {
		list(r, d, true)
	}
}

func etc(r *report) {
	for _, p := range []string{"/etc/resolv.conf", "/etc/localtime", "/etc/machine-id", "/etc/hostname", "/etc/hosts", "/etc/passwd", "/run/host/os-release", "/.."} {
		var st unix.Stat_t
		if err := unix.Lstat(p, &st); err != nil {
			r.say(p, err)
			continue
		}
		to, _ := os.Readlink(p)
		data, err := os.ReadFile(p)
		if len(data) > 200 {
			data = data[:20]
		}
		r.say(p, fmt.Sprintf("%06o %d:%d %s %q %v", st.Mode, st.Uid, st.Gid, to, data, err))
	}
	for _, d := range []string{"/", "/usr", "/etc", "/root", "/home", "/var", "/var/log", "/var/tmp"} {
		var st unix.Stat_t
		var sf unix.Statfs_t
		_ = unix.Stat(d, &st)
		_ = unix.Statfs(d, &sf)
		r.say("directory "+d, fmt.Sprintf("%06o %d:%d type %#x flags %#x writable %v", st.Mode, st.Uid, st.Gid, sf.Type, sf.Flags, unix.Access(d, unix.W_OK)))
	}
	l, _ := os.ReadDir("/")
	for _, e := range l {
		r.say("/"+e.Name(), e.Type())
	}
}

func sys(r *report) {
	for _, d := range []string{"/sys", "/sys/fs", "/sys/kernel", "/sys/class", "/sys/class/net", "/sys/fs/cgroup"} {
		l, err := os.ReadDir(d)
		var names []string
		for _, e := range l {
			names = append(names, e.Name())
		}
		var st unix.Stat_t
		_ = unix.Stat(d, &st)
		r.say(d, fmt.Sprintf("%06o %d:%d %v %v", st.Mode, st.Uid, st.Gid, names, err))
	}
	l, _ := filepath.Glob("/sys/fs/cgroup/cgroup.*")
	for _, p := range l {
		var st unix.Stat_t
		_ = unix.Stat(p, &st)
		r.say(p, fmt.Sprintf("%06o %d:%d", st.Mode, st.Uid, st.Gid))
	}
	for _, f := range []string{"cgroup.controllers", "cgroup.subtree_control", "cgroup.type"} {
		data, err := os.ReadFile("/sys/fs/cgroup/" + f)
		r.say(f, fmt.Sprintf("%q %v", data, err))
	}
	r.try("make a cgroup", os.Mkdir("/sys/fs/cgroup/probe", 0o755))
	_ = os.Remove("/sys/fs/cgroup/probe")
}

// masks is what may be read or written below /proc and /sys, where a container should not.
func masks(r *report) {
	for _, p := range []string{"kallsyms", "kcore", "keys", "sysrq-trigger", "timer_list", "kmsg", "sched_debug", "latency_stats", "timer_stats", "interrupts", "sys/kernel/random/boot_id"} {
		p = "/proc/" + p
		var st unix.Stat_t
		err := unix.Lstat(p, &st)
		r.say(p, fmt.Sprintf("%06o %d:%d size %d %v", st.Mode, st.Uid, st.Gid, min(st.Size, 100), err))
		fd, err := unix.Open(p, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0) // os.File would wait where nobody writes
		if err == nil {
			n, err := unix.Read(fd, make([]byte, 16))
			r.say(p+" read", fmt.Sprint(n > 0, " ", err))
			unix.Close(fd)
		} else {
			r.say(p+" read", err)
		}
	}
	for _, p := range []string{"/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/domainname", "/proc/sys/kernel/hostname", "/proc/sys/net/ipv4/ip_forward",
		"/proc/sys/fs/mqueue/msg_max", "/proc/sys/kernel/shmmax", "/proc/sys/user/max_user_namespaces", "/proc/sys/kernel/ns_last_pid", "/proc/self/oom_score_adj", "/proc/self/loginuid",
		"/proc/irq/default_smp_affinity", "/proc/bus/pci/devices", "/sys/kernel/rcu_expedited", "/sys/power/state", "/sys/kernel/uevent_seqnum", "/sys/class/net/lo/mtu",
		"/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/cgroup.freeze", "/dev/kmsg", "/run/host/x", "/run/host/inaccessible/x", "/run/host/unix-export/x", "/run/host/incoming/x", "/run/x",
		"/dev/x", "/sys/x", "/proc/x", "/tmp/x", "/usr/x", "/etc/x", "/var/x", "/home/x", "/x"} {
		flags := os.O_WRONLY | unix.O_NONBLOCK
		if filepath.Base(p) == "x" {
			flags |= os.O_CREATE
		}
		fd, err := unix.Open(p, flags|unix.O_CLOEXEC, 0o600)
		r.try("open "+p+" to write", err)
		if err == nil {
			unix.Close(fd)
			if filepath.Base(p) == "x" {
				os.Remove(p)
			}
		}
	}
}

func network(r *report) {
	l, err := net.Interfaces()
	for _, i := range l {
		a, _ := i.Addrs()
		r.say(i.Name, fmt.Sprint(i.Flags, " mtu ", i.MTU, " addresses ", a, " mac ", i.HardwareAddr))
	}
	if err != nil {
		r.say("interfaces", err)
	}
	for _, f := range []string{"net/ipv4/ping_group_range", "net/ipv4/ip_forward", "net/ipv4/ip_unprivileged_port_start"} {
		data, err := os.ReadFile("/proc/sys/" + f)
		r.say(f, fmt.Sprint(strings.Join(strings.Fields(string(data)), " "), " ", err))
	}
}
