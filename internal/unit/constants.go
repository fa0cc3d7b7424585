package unit

import (
	"strconv"
	"strings"
)

// What has names in settings has the same ones in what is shown of properties.

// SignalNames are the signals 1 to 31, signal(7); the real-time signals follow at 34.
var SignalNames = [...]string{"HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
	"PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM",
	"PROF", "WINCH", "IO", "PWR", "SYS"}

// RTMin and RTMax are the first and the last real-time signal.
const (
	RTMin = 34
	RTMax = 64
)

// IsSignal tells whether v is a signal's number or name, with SIG or without.
func IsSignal(v string) bool {
	if n, ok := Integer(v); ok {
		return n >= 1 && n <= RTMax
	}
	name := strings.TrimPrefix(v, "SIG")
	for _, s := range SignalNames {
		if s == name {
			return true
		}
	}
	switch name {
	case "RTMIN", "RTMAX":
		return true
	}
	if n, ok := strings.CutPrefix(name, "RTMIN+"); ok {
		k, err := strconv.Atoi(n)
		return err == nil && k >= 0 && k <= RTMax-RTMin
	}
	if n, ok := strings.CutPrefix(name, "RTMAX-"); ok {
		k, err := strconv.Atoi(n)
		return err == nil && k >= 0 && k <= RTMax-RTMin
	}
	return false
}

// SignalNumber is the number of a signal that IsSignal has found to be one.
func SignalNumber(v string) int32 {
	if n, ok := Integer(v); ok {
		return int32(n)
	}
	name := strings.TrimPrefix(v, "SIG")
	for i, s := range SignalNames {
		if s == name {
			return int32(i + 1)
		}
	}
	base, sign, rest := int64(RTMin), int64(1), strings.TrimPrefix(name, "RTMIN")
	if strings.HasPrefix(name, "RTMAX") {
		base, sign, rest = RTMax, -1, strings.TrimPrefix(name, "RTMAX")
	}
	n, _ := strconv.ParseInt(strings.TrimLeft(rest, "+-"), 10, 32) // none is 0
	return int32(base + sign*n)
}

// LogLevels are the names of syslog(3)'s levels, from 0 on.
var LogLevels = [...]string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}

// NUMAPolicies are the ways of taking memory from nodes, set_mempolicy(2).
var NUMAPolicies = [...]string{"default", "preferred", "bind", "interleave", "local", "preferred-many", "weighted-interleave"}

// NamespaceKinds are the kinds of namespaces with their flags of clone(2).
var NamespaceKinds = [...]struct {
	Flag uint64
	Name string
}{{0x02000000, "cgroup"}, {0x08000000, "ipc"}, {0x40000000, "net"}, {0x00020000, "mnt"}, {0x20000000, "pid"},
	{0x10000000, "user"}, {0x04000000, "uts"}, {0x00000080, "time"}}

// CapabilityNames are those of capabilities(7), by number.
var CapabilityNames = [...]string{"chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
	"linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner", "sys_module",
	"sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice", "sys_resource", "sys_time",
	"sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap", "mac_override", "mac_admin", "syslog",
	"wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf", "checkpoint_restore"}

// StatusName is the name of an exit status of the C library or of the manager's own, systemd.exec(5), or "".
func StatusName(status int32) string {
	names := [...]string{"CHDIR", "NICE", "FDS", "EXEC", "MEMORY", "LIMITS", "OOM_ADJUST", "SIGNAL_MASK", "STDIN", "STDOUT", // 200
		"CHROOT", "IOPRIO", "TIMERSLACK", "SECUREBITS", "SETSCHEDULER", "CPUAFFINITY", "GROUP", "USER", "CAPABILITIES", "CGROUP", // 210
		"SETSID", "CONFIRM", "STDERR", "", "PAM", "NETWORK", "NAMESPACE", "NO_NEW_PRIVILEGES", "SECCOMP", "SELINUX_CONTEXT", // 220
		"PERSONALITY", "APPARMOR", "ADDRESS_FAMILIES", "RUNTIME_DIRECTORY", "", "CHOWN", "SMACK_PROCESS_LABEL", "KEYRING", // 230
		"STATE_DIRECTORY", "CACHE_DIRECTORY", "LOGS_DIRECTORY", "CONFIGURATION_DIRECTORY", "NUMA_POLICY", "CREDENTIALS", // 238
		"BPF", "KSM", "MEMORY_THP"} // 244
	const first = 200
	switch {
	case status == 0:
		return "SUCCESS"
	case status == 1:
		return "FAILURE"
	case status == 255:
		return "EXCEPTION"
	case status >= first && int(status) < first+len(names):
		return names[status-first]
	}
	return ""
}

// bsdStatuses are the exit statuses of sysexits.h(3head).
var bsdStatuses = [...]string{"USAGE", "DATAERR", "NOINPUT", "NOUSER", "NOHOST", "UNAVAILABLE", "SOFTWARE", "OSERR", "OSFILE", "CANTCREAT",
	"IOERR", "TEMPFAIL", "PROTOCOL", "NOPERM", "CONFIG"}

const firstOfBSD = 64

// AnyStatusName is StatusName that knows those of sysexits.h(3head) and of init scripts too.
func AnyStatusName(status int32) string {
	const firstOfLSB = 2
	lsb := [...]string{"INVALIDARGUMENT", "NOTIMPLEMENTED", "NOPERMISSION", "NOTINSTALLED", "NOTCONFIGURED", "NOTRUNNING"}
	switch {
	case status >= firstOfLSB && int(status) < firstOfLSB+len(lsb):
		return lsb[status-firstOfLSB]
	case status >= firstOfBSD && int(status) < firstOfBSD+len(bsdStatuses):
		return bsdStatuses[status-firstOfBSD]
	}
	return StatusName(status)
}

// StatusNumber is the exit status of a name, of the manager's own or of sysexits.h(3head), or -1.
func StatusNumber(name string) int32 {
	for i, n := range bsdStatuses {
		if n == name {
			return int32(firstOfBSD + i)
		}
	}
	for n := range int32(256) {
		if s := StatusName(n); s == name && s != "" {
			return n
		}
	}
	return -1
}
