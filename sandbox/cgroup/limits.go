package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/clock"
	"ctl/internal/unit"
)

// Limits are settings of systemd.resource-control(5), the names and what is said of them, in the order of the files.
type Limits [][2]string

// controllers are the controllers that settings are for, in the order in which they are set.
var controllers = [...]struct{ setting, controller string }{
	{"AllowedCPUs", "cpuset"}, {"AllowedMemoryNodes", "cpuset"}, {"CPUSetPartition", "cpuset"},
	{"CPUWeight", "cpu"}, {"CPUQuota", "cpu"}, {"CPUQuotaPeriodSec", "cpu"},
	{"MemoryMin", "memory"}, {"MemoryLow", "memory"}, {"MemoryHigh", "memory"}, {"MemoryMax", "memory"},
	{"MemorySwapMax", "memory"}, {"MemoryZSwapMax", "memory"}, {"MemoryZSwapWriteback", "memory"}, {"OOMPolicy", "memory"},
	{"IOWeight", "io"}, {"IODeviceWeight", "io"}, {"IOReadBandwidthMax", "io"}, {"IOWriteBandwidthMax", "io"},
	{"IOReadIOPSMax", "io"}, {"IOWriteIOPSMax", "io"}, {"IODeviceLatencyTargetSec", "io"}, {"TasksMax", "pids"},
}

// Controller is the controller that a setting is for, "" for one that is for none.
func Controller(setting string) string {
	for _, c := range controllers {
		if c.setting == setting {
			return c.controller
		}
	}
	return ""
}

// Counts tells whether a setting says something of a group: what is measured and watched anyhow does not.
func Counts(setting string) bool {
	switch setting {
	case "DeviceAllow", "DevicePolicy", "IPAddressAllow", "IPAddressDeny", "SocketBindAllow", "SocketBindDeny", "RestrictNetworkInterfaces":
		return true
	}
	return Controller(setting) != ""
}

// Controllers are those that the settings are for, each once.
func (l Limits) Controllers() (all []string) {
	for _, s := range l {
		if c := Controller(s[0]); c != "" && !slices.Contains(all, c) {
			all = append(all, c)
		}
	}
	return all
}

// Last is what is said of a setting that has one value.
func (l Limits) Last(setting string) (string, bool) {
	for _, s := range slices.Backward(l) {
		if s[0] == setting {
			return s[1], true
		}
	}
	return "", false
}

// each are all values of a setting.
func (l Limits) each(setting string) (values []string) {
	for _, s := range l {
		if s[0] == setting {
			values = append(values, s[1])
		}
	}
	return values
}

// An Attribute is a file of a cgroup with what is written to it.
type Attribute struct{ Setting, File, Value string }

// A Machine is what shares are shares of.
type Machine struct {
	Memory uint64 // bytes
	Tasks  uint64
	Device func(path string) (string, error) // MAJOR:MINOR of the disk that a path is, or is on
}

// Attributes are what the settings set, in the order in which it is to be written.
func (l Limits) Attributes(m Machine) (a []Attribute, err error) {
	add := func(setting, file, value string) { a = append(a, Attribute{setting, file, value}) }
	for _, c := range controllers {
		v, ok := l.Last(c.setting)
		if !ok {
			continue
		}
		switch c.setting {
		case "AllowedCPUs", "AllowedMemoryNodes":
			file := map[string]string{"AllowedCPUs": "cpuset.cpus", "AllowedMemoryNodes": "cpuset.mems"}[c.setting]
			fields := func(r rune) bool { return r == ' ' || r == ',' || r == '\t' }
			add(c.setting, file, strings.Join(strings.FieldsFunc(strings.Join(l.each(c.setting), ","), fields), ","))
		case "CPUSetPartition":
			add(c.setting, "cpuset.cpus.partition", v)
		case "CPUWeight":
			if v == "idle" {
				add(c.setting, "cpu.idle", "1")
			} else {
				add(c.setting, "cpu.weight", v)
			}
		case "CPUQuota":
			period, _ := l.Last("CPUQuotaPeriodSec")
			add(c.setting, "cpu.max", quota(v, period))
		case "MemoryZSwapWriteback":
			b, _ := unit.Boolean(v)
			add(c.setting, "memory.zswap.writeback", map[bool]string{true: "1", false: "0"}[b])
		case "OOMPolicy":
			if v == "kill" {
				add(c.setting, "memory.oom.group", "1")
			}
		case "TasksMax":
			add(c.setting, "pids.max", amount(v, m.Tasks, 1))
		case "IOWeight":
			add(c.setting, "io.weight", "default "+v)
		case "IODeviceWeight", "IOReadBandwidthMax", "IOWriteBandwidthMax", "IOReadIOPSMax", "IOWriteIOPSMax", "IODeviceLatencyTargetSec":
			for _, v := range l.each(c.setting) {
				file, value, e := perDevice(c.setting, v, m)
				if err = errors.Join(err, e); e == nil {
					add(c.setting, file, value)
				}
			}
		case "CPUQuotaPeriodSec": // of CPUQuota=
		default:
			add(c.setting, memoryFile(c.setting), amount(v, m.Memory, uint64(os.Getpagesize())))
		}
	}
	return a, err
}

// memoryFile is memory.max for MemoryMax=, and so on.
func memoryFile(setting string) string {
	name := strings.ToLower(strings.TrimPrefix(setting, "Memory"))
	for _, part := range [...]string{"swap", "zswap"} {
		if strings.HasPrefix(name, part) {
			name = part + "." + name[len(part):]
		}
	}
	return "memory." + name
}

// amount is a number, or a share of all there is, in whole units.
func amount(v string, all, size uint64) string {
	if v == "infinity" {
		return "max"
	}
	if n, ok := unit.Hundredths(v); ok {
		return strconv.FormatUint(all/size*n/10000*size, 10)
	}
	if n, err := unit.Size(v, 1024); err == nil {
		return strconv.FormatUint(n, 10)
	}
	return v
}

// quota is how much of each period of time, both in microseconds, may be spent on the processors. The kernel takes no less than a
// millisecond for either, and for a period no more than a second.
func quota(share, period string) string {
	const least, most, usual = 1000, 1000000, 100000
	n, ok := unit.Hundredths(share)
	if !ok || n == 0 {
		return "max"
	}
	perSecond := n * 100
	p := uint64(usual)
	if period != "" {
		if v, err := clock.ParseSpan(period, clock.Second); err == nil && v > 0 {
			p = v
		}
	}
	p = min(max(p, least, least*1000000/perSecond), most)
	return fmt.Sprintf("%d %d", max(perSecond*p/1000000, least), p)
}

// perDevice is what is said of a disk.
func perDevice(setting, v string, m Machine) (file, value string, err error) {
	path, v, _ := strings.Cut(v, " ")
	device, err := m.Device(path)
	if err != nil {
		return "", "", fmt.Errorf("%s=%s: %w", setting, path, err)
	}
	v = strings.Trim(v, " \t")
	if key := map[string]string{"IOReadBandwidthMax": "rbps", "IOWriteBandwidthMax": "wbps", "IOReadIOPSMax": "riops", "IOWriteIOPSMax": "wiops"}[setting]; key != "" {
		number := "max"
		if v != "infinity" {
			n, err := unit.Size(v, 1000)
			if err != nil {
				return "", "", err
			}
			number = strconv.FormatUint(n, 10)
		}
		return "io.max", device + " " + key + "=" + number, nil
	}
	if setting == "IODeviceLatencyTargetSec" {
		target := "max"
		if t, err := clock.ParseSpan(v, clock.Second); err == nil && t != clock.Infinity {
			target = strconv.FormatUint(t, 10)
		}
		return "io.latency", device + " target=" + target, nil
	}
	return "io.weight", device + " " + v, nil
}

// Here is this machine.
func Here() Machine {
	m := Machine{Device: diskOf}
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		m.Memory = uint64(info.Totalram) * uint64(info.Unit)
	}
	for _, file := range [...]string{"/proc/sys/kernel/threads-max", "/proc/sys/kernel/pid_max"} {
		data, _ := os.ReadFile(file)
		if n, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 64); err == nil && (m.Tasks == 0 || n < m.Tasks) {
			m.Tasks = n
		}
	}
	return m
}

// diskOf is the whole disk that a device is part of, or the file system at a path.
func diskOf(path string) (string, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return "", err
	}
	dev := st.Dev
	if st.Mode&unix.S_IFMT == unix.S_IFBLK {
		dev = st.Rdev
	}
	number := fmt.Sprintf("%d:%d", unix.Major(dev), unix.Minor(dev))
	dir, err := filepath.EvalSymlinks("/sys/dev/block/" + number)
	if err != nil {
		return "", unix.ENOTBLK
	}
	if _, err := os.Stat(dir + "/partition"); err == nil {
		if data, err := os.ReadFile(filepath.Dir(dir) + "/dev"); err == nil {
			number = strings.TrimSpace(string(data))
		}
	}
	return number, nil
}

// Limit writes what the settings set. What could not be written it tells, one error each.
func (g *Group) Limit(l Limits) (failed []error) {
	a, err := l.Attributes(Here())
	if err != nil {
		failed = append(failed, err)
	}
	for _, a := range a {
		if err := write(g.Path, a.File, a.Value); err != nil {
			failed = append(failed, fmt.Errorf("%s= is not applied: %w", a.Setting, err))
		}
	}
	return failed
}
