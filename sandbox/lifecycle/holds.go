package lifecycle

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"ctl/internal/unit"
	"ctl/sandbox/image"
	"ctl/sandbox/launch"
	"ctl/sandbox/service"
)

// holds tells whether a condition is met, without its "!". What only a manager knows is taken for a system that has been running for long.
func (r *run) holds(c *service.Condition, user string) bool {
	kind := strings.TrimPrefix(strings.TrimPrefix(c.Name, "Condition"), "Assert")
	if rest, ok := strings.CutPrefix(kind, "Path"); ok || kind == "DirectoryNotEmpty" || strings.HasPrefix(kind, "File") {
		if !ok {
			rest = kind
		}
		holds := false
		_ = r.within(func() error {
			holds = pathHolds(rest, c.Value)
			return nil
		})
		return holds
	}
	switch kind {
	case "Architecture":
		return c.Value == "native" || c.Value == image.Architecture()
	case "Virtualization":
		return r.virtualization(c.Value)
	case "Host":
		return r.host(c.Value)
	case "KernelCommandLine":
		return word("/proc/cmdline", c.Value, false)
	case "KernelVersion", "Version":
		return version(c.Value)
	case "KernelModuleLoaded":
		_, err := os.Stat("/sys/module/" + strings.ReplaceAll(c.Value, "-", "_"))
		return err == nil
	case "Environment":
		name, value, given := strings.Cut(c.Value, "=")
		v, set := os.LookupEnv(name)
		return set && (!given || v == value)
	case "Security":
		return security(c.Value)
	case "Capability":
		return capability(c.Value)
	case "Credential":
		dir := os.Getenv("CREDENTIALS_DIRECTORY")
		_, err := os.Stat(filepath.Join(dir, c.Value))
		return dir != "" && err == nil
	case "ACPower":
		want, _ := unit.Boolean(c.Value)
		return onPower() == want
	case "NeedsUpdate":
		return r.needsUpdate(strings.TrimPrefix(c.Value, "!"))
	case "FirstBoot":
		want, _ := unit.Boolean(c.Value)
		data, err := r.readFile("/etc/machine-id")
		first := err != nil || strings.TrimSpace(string(data)) == "" || strings.TrimSpace(string(data)) == "uninitialized"
		return first == want
	case "User":
		return r.isUser(c.Value)
	case "Group":
		return r.isGroup(c.Value)
	case "ControlGroupController":
		return controllers(c.Value)
	case "Memory":
		var info unix.Sysinfo_t
		_ = unix.Sysinfo(&info)
		return compare(uint64(info.Totalram)*uint64(info.Unit), c.Value, func(s string) (uint64, error) { return unit.Size(s, 1024) })
	case "CPUs":
		var set unix.CPUSet
		_ = unix.SchedGetaffinity(0, &set)
		return compare(uint64(set.Count()), c.Value, func(s string) (uint64, error) { return strconv.ParseUint(s, 10, 64) })
	case "CPUFeature":
		return word("/proc/cpuinfo", strings.ToLower(c.Value), true)
	case "OSRelease":
		return r.osRelease(c.Value)
	case "Firmware":
		return firmware(c.Value)
	}
	return true // of pressures of the moment: there is none
}

func pathHolds(kind, p string) bool {
	st, err := os.Stat(p)
	switch kind {
	case "Exists":
		return err == nil
	case "ExistsGlob":
		l, _ := filepath.Glob(p)
		return len(l) > 0
	case "IsDirectory":
		return err == nil && st.IsDir()
	case "IsSymbolicLink":
		st, err := os.Lstat(p)
		return err == nil && st.Mode()&os.ModeSymlink != 0
	case "IsSocket":
		return err == nil && st.Mode()&os.ModeSocket != 0
	case "IsMountPoint":
		var x unix.Statx_t
		const isRoot = unix.STATX_ATTR_MOUNT_ROOT
		return unix.Statx(unix.AT_FDCWD, p, 0, unix.STATX_TYPE, &x) == nil && x.Attributes&isRoot != 0
	case "IsReadWrite":
		var fs unix.Statfs_t
		return unix.Statfs(p, &fs) == nil && fs.Flags&unix.ST_RDONLY == 0
	case "IsEncrypted":
		return false
	case "DirectoryNotEmpty":
		l, err := os.ReadDir(p)
		return err == nil && len(l) > 0
	case "FileNotEmpty":
		return err == nil && st.Mode().IsRegular() && st.Size() > 0
	case "FileIsExecutable":
		return err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0
	}
	return false
}

// virtualization knows containers by what their managers say; machines by what their firmware says.
func (r *run) virtualization(v string) bool {
	container := os.Getenv("container")
	if data, err := os.ReadFile("/run/systemd/container"); err == nil {
		container = strings.TrimSpace(string(data))
	}
	if container == "" {
		for _, m := range [...][2]string{{"/run/.containerenv", "podman"}, {"/.dockerenv", "docker"}} {
			if _, err := os.Stat(m[0]); err == nil {
				container = m[1]
			}
		}
	}
	switch v {
	case "container":
		return container != ""
	case "private-users":
		data, _ := os.ReadFile("/proc/self/uid_map")
		f := strings.Fields(string(data))
		return len(f) != 3 || f[0] != "0" || f[1] != "0" || f[2] != "4294967295"
	case "vm":
		return container == "" && machine() != ""
	}
	if yes, ok := unit.Boolean(v); ok {
		return yes == (container != "" || machine() != "")
	}
	if container != "" {
		return v == container
	}
	return v == machine()
}

// machine is the kind of virtual machine that this is, "" for none.
func machine() string {
	data, _ := os.ReadFile("/proc/cpuinfo")
	if !slices.Contains(strings.Fields(string(data)), "hypervisor") {
		return ""
	}
	vendor, _ := os.ReadFile("/sys/class/dmi/id/sys_vendor")
	for _, m := range [...][2]string{{"QEMU", "qemu"}, {"VMware", "vmware"}, {"innotek", "oracle"}, {"Xen", "xen"}, {"Microsoft", "microsoft"},
		{"Amazon EC2", "amazon"}, {"Google", "google"}, {"Parallels", "parallels"}} {
		if strings.HasPrefix(string(vendor), m[0]) {
			return m[1]
		}
	}
	return "kvm"
}

func (r *run) host(v string) bool {
	if id, err := unit.MachineID([]byte(v)); err == nil {
		data, _ := r.readFile("/etc/machine-id")
		mine, err := unit.MachineID(data)
		return err == nil && mine == id
	}
	name, _ := os.Hostname()
	return unit.Fnmatch(strings.ToLower(v), strings.ToLower(name))
}

// word tells whether a file has a word, or a word that begins so and has "=" after it.
func word(file, v string, exact bool) bool {
	data, _ := os.ReadFile(file)
	for w := range strings.FieldsSeq(string(data)) {
		if w == v || !exact && !strings.Contains(v, "=") && strings.HasPrefix(w, v+"=") {
			return true
		}
	}
	return false
}

// operators of comparisons, the longer ones first.
var operators = [...]string{"<=", ">=", "!=", "==", "<", ">", "="}

func cutOperator(v string) (op, rest string) {
	for _, o := range operators {
		if rest, ok := strings.CutPrefix(v, o); ok {
			return o, strings.TrimSpace(rest)
		}
	}
	return "", v
}

func decide(op string, order int) bool {
	switch op {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	case "!=":
		return order != 0
	case "=", "==":
		return order == 0
	}
	return order >= 0
}

func compare(have uint64, v string, parse func(string) (uint64, error)) bool {
	op, rest := cutOperator(v)
	want, err := parse(rest)
	if err != nil {
		return false
	}
	switch {
	case have < want:
		return decide(op, -1)
	case have > want:
		return decide(op, 1)
	}
	return decide(op, 0)
}

// version compares the kernel's.
func version(v string) bool {
	var u unix.Utsname
	_ = unix.Uname(&u)
	have := unix.ByteSliceToString(u.Release[:])
	for w := range strings.FieldsSeq(strings.TrimPrefix(strings.TrimSpace(v), "kernel ")) {
		op, rest := cutOperator(w)
		if op == "" || op == "=" || op == "!=" {
			if unit.Fnmatch(rest, have) == (op == "!=") {
				return false
			}
			continue
		}
		if !decide(op, versions(have, rest)) {
			return false
		}
	}
	return true
}

// versions compares number by number.
func versions(a, b string) int {
	numbers := func(s string) []int {
		var l []int
		for _, f := range strings.FieldsFunc(s, func(c rune) bool { return c < '0' || c > '9' }) {
			n, _ := strconv.Atoi(f)
			l = append(l, n)
		}
		return l
	}
	return slices.Compare(numbers(a), numbers(b))
}

func security(v string) bool {
	file := ""
	switch v {
	case "selinux", "apparmor", "smack":
		return launch.SecurityModule(v)
	case "ima":
		file = "/sys/kernel/security/ima"
	case "tomoyo":
		file = "/sys/kernel/security/tomoyo/version"
	case "audit":
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_AUDIT)
		if err == nil {
			unix.Close(fd)
		}
		return err == nil
	case "uefi-secureboot":
		data, _ := os.ReadFile("/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c")
		return len(data) == 5 && data[4] == 1
	case "tpm2":
		file = "/sys/class/tpmrm/tpmrm0"
	}
	_, err := os.Stat(file)
	return file != "" && err == nil
}

func capability(v string) bool {
	name := strings.TrimPrefix(strings.ToLower(v), "cap_")
	n := slices.Index(unit.CapabilityNames[:], name)
	if n < 0 {
		return false
	}
	has, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(n), 0, 0, 0)
	return err == nil && has == 1
}

// onPower tells whether a machine without a battery that is being used up is on power, as one without any is.
func onPower() bool {
	l, _ := filepath.Glob("/sys/class/power_supply/*")
	found := false
	for _, p := range l {
		kind, _ := os.ReadFile(p + "/type")
		if strings.TrimSpace(string(kind)) != "Mains" {
			continue
		}
		found = true
		if online, _ := os.ReadFile(p + "/online"); strings.TrimSpace(string(online)) == "1" {
			return true
		}
	}
	return !found
}

// needsUpdate tells whether /usr is newer than what was last made of it.
func (r *run) needsUpdate(p string) bool {
	var usr, mark unix.Stat_t
	err := r.within(func() error {
		if err := unix.Stat("/usr", &usr); err != nil {
			return err
		}
		return unix.Lstat(strings.TrimRight(p, "/")+"/.updated", &mark)
	})
	return err != nil || usr.Mtim.Nano() > mark.Mtim.Nano()
}

func (r *run) isUser(v string) bool {
	uid := os.Getuid()
	switch v {
	case "@system":
		return uid < 1000
	case "root", "0":
		return uid == 0
	}
	f := r.account("/etc/passwd", v)
	return f != nil && f[2] == strconv.Itoa(uid)
}

func (r *run) isGroup(v string) bool {
	f := r.account("/etc/group", v)
	if f == nil {
		return false
	}
	gid, _ := strconv.Atoi(f[2])
	groups, _ := syscall.Getgroups()
	return gid == os.Getgid() || gid == os.Getegid() || slices.Contains(groups, gid)
}

func controllers(v string) bool {
	has, err := os.ReadFile("/sys/fs/cgroup/cgroup.controllers")
	switch v {
	case "v2":
		return err == nil
	case "v1":
		return err != nil
	}
	list := strings.Fields(string(has))
	for w := range strings.FieldsSeq(v) {
		if !slices.Contains(list, w) {
			return false
		}
	}
	return true
}

func (r *run) osRelease(v string) bool {
	data, err := r.readFile("/etc/os-release")
	if err != nil {
		data, _ = r.readFile("/usr/lib/os-release")
	}
	for w := range strings.FieldsSeq(v) {
		i := strings.IndexAny(w, "<>=!")
		if i < 0 {
			return false
		}
		have := unit.EnvFile(data, w[:i])
		op, want := cutOperator(w[i:])
		if op == "=" || op == "!=" {
			if (have == want) == (op == "!=") {
				return false
			}
			continue
		}
		if !decide(op, versions(have, want)) {
			return false
		}
	}
	return true
}

func firmware(v string) bool {
	switch v {
	case "uefi":
		_, err := os.Stat("/sys/firmware/efi")
		return err == nil
	case "device-tree":
		_, err := os.Stat("/sys/firmware/devicetree")
		return err == nil
	}
	return false
}
