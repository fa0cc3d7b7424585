package seccomp

import "golang.org/x/sys/unix"

// allowed is what a container may call, and capabilities without which it may not.
var allowed = [...]struct {
	names      []string
	capability uint // 0, chown(2)'s, stands for none
}{
	{[]string{"@aio", "@basic-io", "@chown", "@default", "@file-system", "@io-event", "@ipc", "@keyring", "@mount", "@network-io",
		"@process", "@resources", "@setuid", "@signal", "@sync", "@timer",
		"arm_fadvise64_64", "brk", "cachestat", "capget", "capset", "copy_file_range", "fadvise64", "fadvise64_64", "flock",
		"get_mempolicy", "getcpu", "getpriority", "getrandom", "ioctl", "ioprio_get", "kcmp", "madvise", "mincore", "mprotect",
		"mremap", "name_to_handle_at", "oldolduname", "olduname", "personality", "readahead", "readdir", "remap_file_pages",
		"sched_get_priority_max", "sched_get_priority_min", "sched_getaffinity", "sched_getattr", "sched_getparam",
		"sched_getscheduler", "sched_rr_get_interval", "sched_rr_get_interval_time64", "sched_yield", "sendfile", "sendfile64",
		"setdomainname", "setfsgid", "setfsgid32", "setfsuid", "setfsuid32", "sethostname", "setpgid", "setsid", "splice",
		"sysinfo", "tee", "umask", "uname", "userfaultfd", "vmsplice"}, 0},
	{[]string{"@clock"}, unix.CAP_SYS_TIME},
	{[]string{"@module"}, unix.CAP_SYS_MODULE},
	{[]string{"@raw-io"}, unix.CAP_SYS_RAWIO},
	{[]string{"@memlock"}, unix.CAP_IPC_LOCK},
	{[]string{"acct"}, unix.CAP_SYS_PACCT},
	{[]string{"process_vm_readv", "process_vm_writev", "ptrace"}, unix.CAP_SYS_PTRACE},
	{[]string{"reboot"}, unix.CAP_SYS_BOOT},
	{[]string{"syslog"}, unix.CAP_SYSLOG},
	{[]string{"vhangup"}, unix.CAP_SYS_TTY_CONFIG},
	{[]string{"bpf"}, unix.CAP_BPF},
}

// Container is the policy of a container that keeps the capabilities: what --system-call-filter= names is allowed besides or, where
// it is in deny, not allowed. A group is denied where it is one of those that are allowed. What is known is refused with EPERM, what
// is not with ENOSYS, so that programs fall back as on an older kernel. Audit sockets cannot be made: audit is not for containers.
// The groups in allow that there are not are returned.
func Container(capabilities uint64, allow, deny []string) (Policy, []string) {
	var names []string
	for _, a := range &allowed {
		if a.capability == 0 || capabilities&(1<<a.capability) != 0 {
			names = append(names, a.names...)
		}
	}
	set, unknown := collect(append(names, allow...), deny)
	var p Policy
	p.add(filter{Errno(unix.ENOSYS), []rule{
		{calls: set, then: Allow},
		{calls: Calls("@known"), then: Errno(unix.EPERM)},
	}})
	p.refuse(unix.EAFNOSUPPORT, Calls("socket"), is(0, unix.AF_NETLINK), is(2, unix.NETLINK_AUDIT))
	return p, unknown
}

// SuppressSync makes nothing of calls that only wait until data are on disk, and has open(2) refuse flags that ask for it. A file descriptor
// that cannot be one is refused by the kernel, as ever.
func (p *Policy) SuppressSync() {
	files := Calls("fdatasync", "fsync", "sync_file_range", "sync_file_range2", "syncfs")
	whole := Calls("@sync")
	whole.removeAll(files)
	const done = unix.Errno(0)
	p.refuse(done, files, test{0, below, all, 1 << 31, false})
	p.refuse(done, whole)
	// O_SYNC is O_DSYNC with a bit more.
	p.refuse(unix.EINVAL, Calls("open"), hasBits(1, unix.O_DSYNC))
	p.refuse(unix.EINVAL, Calls("openat"), hasBits(2, unix.O_DSYNC))
}

// Ioctls that type for whoever sits at a terminal: into its input, or by pasting on a console. All our architectures number them so.
const (
	tiocsti   = 0x5412
	tioclinux = 0x541c
)

// NoTyping refuses what puts text into the input of a terminal, for a container that is given one of the caller's.
func (p *Policy) NoTyping() {
	p.refuse(unix.EPERM, Calls("ioctl"), is(1, tiocsti))
	p.refuse(unix.EPERM, Calls("ioctl"), is(1, tioclinux))
}

// NoForeignKeys refuses the keyrings that belong to a user, keyrings(7): a container without user IDs of its own would find there
// what its caller keeps. Those of the session, the process and the thread are its own. To link one into these seems to succeed: systemd does it before it
// mounts anything, systemd.exec(5) KeyringMode=shared, and needs no key for that.
func (p *Policy) NoForeignKeys() {
	keyctl := Calls("keyctl")
	for _, keyring := range []int32{unix.KEY_SPEC_USER_KEYRING, unix.KEY_SPEC_USER_SESSION_KEYRING} {
		p.refuse(0, keyctl, is(0, unix.KEYCTL_LINK), is(1, uint32(keyring)))
		p.refuse(unix.EPERM, keyctl, test{0, notEqual, all, unix.KEYCTL_LINK, false}, is(1, uint32(keyring)))
		for _, arg := range []uint8{2, 3} {
			p.refuse(unix.EPERM, keyctl, is(arg, uint32(keyring)))
		}
		p.refuse(unix.EPERM, Calls("add_key"), is(4, uint32(keyring)))
		p.refuse(unix.EPERM, Calls("request_key"), is(3, uint32(keyring)))
	}
	p.refuse(unix.EPERM, keyctl, is(0, unix.KEYCTL_GET_PERSISTENT))
}

// Hardened refuses, besides, what a tree that one does not trust shall not reach: what is not the container's alone, as keys and file
// handles are, what does other calls unseen (io_uring), and parts of the kernel that a program in a container has no use for.
func (p *Policy) Hardened() {
	p.refuse(unix.EPERM, Calls("@cpu-emulation", "@keyring", "@module", "@raw-io", "@swap",
		"io_uring_setup", "io_uring_enter", "io_uring_register", "userfaultfd", "name_to_handle_at", "open_by_handle_at",
		"acct", "bpf", "fanotify_init", "kexec_file_load", "kexec_load", "lookup_dcookie", "nfsservctl", "perf_event_open",
		"quotactl", "quotactl_fd", "syslog", "vhangup"))
	p.NoTyping()
}
