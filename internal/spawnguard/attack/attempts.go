package main

import (
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

type attempt struct {
	name string
	do   func() error
}

// write opens a file for writing, and writes nothing.
func write(path string) func() error {
	return func() error {
		fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
		if err == nil {
			unix.Close(fd)
		}
		return err
	}
}

// mounted mounts a file system and opens a file of it for writing.
func mounted(typ, options, file string) func() error {
	return func() error {
		dir, err := os.MkdirTemp("/tmp", "m")
		if err != nil {
			return err
		}
		if err := unix.Mount(typ, dir, typ, 0, options); err != nil {
			return err
		}
		defer unix.Unmount(dir, unix.MNT_DETACH)
		if file == "" {
			return nil
		}
		found, _ := filepath.Glob(dir + "/" + file)
		if len(found) == 0 {
			return unix.ENOENT
		}
		return write(found[0])()
	}
}

// device makes a device and opens it.
func device(kind, major, minor uint32) func() error {
	return func() error {
		dir, err := os.MkdirTemp("/root", "d") // /tmp is nodev
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		if err := unix.Mknod(dir+"/d", kind|0o600, int(unix.Mkdev(major, minor))); err != nil {
			return err
		}
		fd, err := unix.Open(dir+"/d", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err == nil {
			unix.Close(fd)
		}
		return err
	}
}

func socket(family, typ, protocol int) func() error {
	return func() error {
		fd, err := unix.Socket(family, typ|unix.SOCK_CLOEXEC, protocol)
		if err == nil {
			unix.Close(fd)
		}
		return err
	}
}

func search(keyring int) func() error {
	return func() error {
		_, err := unix.KeyctlSearch(keyring, "user", keyName, 0)
		return err
	}
}

func attempts() []attempt {
	return []attempt{
		{"write core_pattern", write("/proc/sys/kernel/core_pattern")},
		{"write modprobe", write("/proc/sys/kernel/modprobe")},
		{"write sysrq-trigger", write("/proc/sysrq-trigger")},
		{"write /sys", write("/sys/kernel/profiling")},
		{"write uevent_helper", write("/sys/kernel/uevent_helper")},
		{"make in /sys", func() error { return unix.Mkdir("/sys/x", 0o755) }},
		{"write /proc/irq", write("/proc/irq/default_smp_affinity")},
		{"write os-release", write("/run/host/os-release")},
		{"write to /run/host", func() error { return os.WriteFile("/run/host/x", nil, 0o600) }},
		{"S13 abstract socket", func() error {
			fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			return unix.Connect(fd, &unix.SockaddrUnix{Name: socketName})
		}},
		{"S16 packets", socket(unix.AF_PACKET, unix.SOCK_RAW, 0)},
		{"S16 raw", socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP)},
		{"netlink audit", socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_AUDIT)},
		{"network interface", func() error {
			s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
			if err != nil {
				return err
			}
			defer unix.Close(s)
			r, err := unix.NewIfreq("lo")
			if err != nil {
				return err
			}
			r.SetUint16(unix.IFF_UP)
			return unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, r)
		}},
		{"S17 key of the session", search(unix.KEY_SPEC_SESSION_KEYRING)},
		{"S17 key of the user", search(unix.KEY_SPEC_USER_KEYRING)},
		{"S17 key of the user's session", search(unix.KEY_SPEC_USER_SESSION_KEYRING)},
		{"S18 loop device", device(unix.S_IFBLK, 7, 0)},
		{"S18 loop control", device(unix.S_IFCHR, 10, 237)},
		{"S18 mem", device(unix.S_IFCHR, 1, 1)},
		{"S18 kmsg", device(unix.S_IFCHR, 1, 11)},
		{"S18 disk", device(unix.S_IFBLK, 254, 0)},
		{"S18 in the tree", func() error {
			fd, err := unix.Open("/srv/device", unix.O_RDONLY, 0)
			if err == nil {
				unix.Close(fd)
			}
			return err
		}},
		{"S25 ptrace of the first", func() error {
			err := unix.PtraceAttach(1)
			if err == nil {
				_, _ = unix.Wait4(1, nil, unix.WALL, nil)
				_ = unix.PtraceDetach(1)
			}
			return err
		}},
		{"S25 memory of the first", func() error {
			if os.Getpid() == 1 {
				return unix.EBUSY // it is ours
			}
			fd, err := unix.Open("/proc/1/mem", unix.O_RDWR, 0)
			if err == nil {
				unix.Close(fd)
			}
			return err
		}},
		{"S1 program of the first", write("/proc/1/exe")},
		{"S10 cgroup v1", mounted("cgroup", "devices", "release_agent")},
		{"cgroup v1 named", mounted("cgroup", "none,name=guard", "release_agent")},
		{"outside by ..", func() error {
			if _, err := os.Lstat("/../../../../canary"); err == nil {
				return nil
			}
			return unix.ENOENT
		}},
		{"chroot", func() error { return unix.Chroot("/srv") }},
		{"open_by_handle_at", func() error {
			// The host's root is inode 2 or 256 in most file systems: what is tried is whether there is a way at all.
			h := unix.NewFileHandle(1, []byte{2, 0, 0, 0, 0, 0, 0, 0})
			fd, err := unix.Open("/", unix.O_RDONLY, 0)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			_, err = unix.OpenByHandleAt(fd, h, 0)
			return err
		}},
		{"network namespace", func() error { return unix.Unshare(unix.CLONE_NEWNET) }},
		{"mount namespace", func() error { return unix.Unshare(unix.CLONE_NEWNS) }},
		{"nice", func() error { return unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), -5) }},
		{"raise oom_score", func() error { return os.WriteFile("/proc/self/oom_score_adj", []byte("-1000"), 0) }},
		{"write in the tree", func() error { return os.WriteFile("/root/x", nil, 0o600) }},
		// What follows changes what the container sees.
		{"S14 proc", mounted("proc", "", "irq/default_smp_affinity")},
		{"S14 proc, core_pattern", mounted("proc", "", "sys/kernel/core_pattern")},
		{"S14 sysfs", mounted("sysfs", "", "kernel/mm/transparent_hugepage/enabled")},
		{"S14 debugfs", mounted("debugfs", "", "")},
		{"S14 remount /proc/sys", func() error {
			if err := unix.Mount("", "/proc/sys", "", unix.MS_REMOUNT|unix.MS_BIND, ""); err != nil {
				return err
			}
			return write("/proc/sys/kernel/core_pattern")()
		}},
		{"S14 attributes of /proc/sys", func() error {
			attr := unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY}
			if err := unix.MountSetattr(unix.AT_FDCWD, "/proc/sys", 0, &attr); err != nil {
				return err
			}
			return write("/proc/sys/kernel/core_pattern")()
		}},
		{"S14 unmount /proc/sys", func() error {
			if err := unix.Unmount("/proc/sys", unix.MNT_DETACH); err != nil {
				return err
			}
			return write("/proc/sys/kernel/core_pattern")()
		}},
		{"S14 unmount keys", func() error { return unix.Unmount("/proc/keys", 0) }},
		{"S14 unmount kcore", func() error { return unix.Unmount("/proc/kcore", unix.MNT_DETACH) }},
		{"S14 unmount sysrq-trigger", func() error {
			if err := unix.Unmount("/proc/sysrq-trigger", unix.MNT_DETACH); err != nil {
				return err
			}
			return write("/proc/sysrq-trigger")()
		}},
		{"S14 mount over a mask", func() error { return unix.Mount("/dev/null", "/proc/kallsyms", "", unix.MS_BIND, "") }},
		{"S14 remount /sys", func() error {
			if err := unix.Mount("", "/sys", "", unix.MS_REMOUNT|unix.MS_BIND, ""); err != nil {
				return err
			}
			return write("/sys/kernel/profiling")()
		}},
		{"S14 copy of /proc without masks", func() error {
			fd, err := unix.OpenTree(unix.AT_FDCWD, "/proc", unix.OPEN_TREE_CLONE)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			w, err := unix.Openat(fd, "sysrq-trigger", unix.O_WRONLY, 0)
			if err == nil {
				unix.Close(w)
			}
			return err
		}},
		{"processes", func() error {
			dirs, _ := filepath.Glob("/proc/[0-9]*")
			for _, d := range dirs {
				words, _ := os.ReadFile(d + "/cmdline")
				if strings.Contains(string(words), "spawn") {
					return nil // somebody outside is seen
				}
			}
			return unix.ESRCH
		}},
	}
}
