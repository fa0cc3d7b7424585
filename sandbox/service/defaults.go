package service

import (
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ctl/internal/unit"
)

// defaults are what systemd-system.conf(5), of a user's manager its user.conf, says that settings are where unit files say nothing.
type defaults struct {
	timeoutStart, timeoutStop time.Duration
	timeoutAbort              time.Duration // 0: as timeoutStop
	environment               []string
}

// managerSettings are those of section [Manager] that units depend on.
var managerSettings = [...]setting{
	{"DefaultTimeoutStartSec", func(l *line) { l.endless(&l.defaults.timeoutStart) }, Note},
	{"DefaultTimeoutStopSec", func(l *line) { l.endless(&l.defaults.timeoutStop) }, Note},
	{"DefaultTimeoutAbortSec", func(l *line) { l.endless(&l.defaults.timeoutAbort) }, Note},
	{"DefaultRestartSec", func(l *line) { l.seconds(&l.defaultRestart) }, Note},
	{"DefaultStartLimitIntervalSec", func(l *line) { l.seconds(&l.unit.StartLimitInterval) }, Note},
	{"DefaultStartLimitInterval", func(l *line) { l.seconds(&l.unit.StartLimitInterval) }, Note},
	{"DefaultStartLimitBurst", func(l *line) { l.unsigned(&l.unit.StartLimitBurst) }, Note},
	{"DefaultEnvironment", (*line).managerEnvironment, Note},
	{"DefaultStandardOutput", func(l *line) { l.output(&l.exec.Stdout) }, Note},
	{"DefaultStandardError", func(l *line) { l.output(&l.exec.Stderr) }, Note},
	{"DefaultLimitCPU", func(l *line) { l.limit(unix.RLIMIT_CPU) }, Note},
	{"DefaultLimitFSIZE", func(l *line) { l.limit(unix.RLIMIT_FSIZE) }, Note},
	{"DefaultLimitDATA", func(l *line) { l.limit(unix.RLIMIT_DATA) }, Note},
	{"DefaultLimitSTACK", func(l *line) { l.limit(unix.RLIMIT_STACK) }, Note},
	{"DefaultLimitCORE", func(l *line) { l.limit(unix.RLIMIT_CORE) }, Note},
	{"DefaultLimitRSS", func(l *line) { l.limit(unix.RLIMIT_RSS) }, Note},
	{"DefaultLimitNOFILE", func(l *line) { l.limit(unix.RLIMIT_NOFILE) }, Note},
	{"DefaultLimitAS", func(l *line) { l.limit(unix.RLIMIT_AS) }, Note},
	{"DefaultLimitNPROC", func(l *line) { l.limit(unix.RLIMIT_NPROC) }, Note},
	{"DefaultLimitMEMLOCK", func(l *line) { l.limit(unix.RLIMIT_MEMLOCK) }, Note},
	{"DefaultLimitLOCKS", func(l *line) { l.limit(unix.RLIMIT_LOCKS) }, Note},
	{"DefaultLimitSIGPENDING", func(l *line) { l.limit(unix.RLIMIT_SIGPENDING) }, Note},
	{"DefaultLimitMSGQUEUE", func(l *line) { l.limit(unix.RLIMIT_MSGQUEUE) }, Note},
	{"DefaultLimitNICE", func(l *line) { l.limit(unix.RLIMIT_NICE) }, Note},
	{"DefaultLimitRTPRIO", func(l *line) { l.limit(unix.RLIMIT_RTPRIO) }, Note},
	{"DefaultLimitRTTIME", func(l *line) { l.limit(unix.RLIMIT_RTTIME) }, Note},
	{"DefaultOOMPolicy", func(l *line) { l.oomPolicy() }, Note},
}

// readDefaults gives the unit what it has before its files are read.
func (l *loader) readDefaults() {
	l.defaults = defaults{timeoutStart: 90 * time.Second, timeoutStop: 90 * time.Second}
	l.defaultRestart = 100 * time.Millisecond
	l.unit.StartLimitInterval, l.unit.StartLimitBurst = 10*time.Second, 5
	name := "system.conf"
	if l.options.User {
		name = "user.conf"
		l.exec.UMask = ownUMask(l.exec.UMask)
	}
	for _, p := range l.configuration(name) {
		data, err := l.ix.ReadFile(p)
		if err != nil {
			continue
		}
		ln := &line{loader: l, file: l.ix.Shown(p)}
		_ = unit.Parse(data, managerSection, func(section, key, value string, number int) {
			for i := range managerSettings {
				if r := &managerSettings[i]; r.name == key {
					ln.section, ln.key, ln.value, ln.number = section, key, strings.Clone(value), number
					r.read(ln)
				}
			}
		}, func(int, string) {})
	}
	if s := l.service; s != nil {
		s.TimeoutStart, s.TimeoutStop, s.RestartDelay = l.defaults.timeoutStart, l.defaults.timeoutStop, l.defaultRestart
	}
}

func managerSection(section string) unit.Interest {
	if section == "Manager" {
		return unit.Want
	}
	return unit.Skip
}

// configuration are the files of the manager's configuration, in the order in which they count: the first main file that there is, and
// what adds to it.
func (l *loader) configuration(name string) (files []string) {
	dirs := [...]string{"/etc/systemd/", "/run/systemd/", "/usr/local/lib/systemd/", "/usr/lib/systemd/"}
	for _, d := range dirs {
		if l.ix.Exists(d + name) {
			files = append(files, d+name)
			break
		}
	}
	var more []string
	for _, d := range dirs {
		for _, n := range l.ix.Names(d + name + ".d") {
			if strings.HasSuffix(n, ".conf") && !slices.ContainsFunc(more, func(p string) bool { return path.Base(p) == n }) {
				more = append(more, d+name+".d/"+n)
			}
		}
	}
	slices.SortFunc(more, func(a, b string) int { return strings.Compare(path.Base(a), path.Base(b)) })
	return append(files, more...)
}

// endless reads a time of which 0 is none, and there is no end.
func (l *line) endless(p *time.Duration) {
	if v, ok := l.timeSpan(""); ok {
		*p = forever(v)
	}
}

func (l *line) managerEnvironment() {
	before := l.exec.Environment
	l.exec.Environment = l.defaults.environment
	l.environment()
	l.defaults.environment, l.exec.Environment = l.exec.Environment, before
}

// defaultEnvironment adds the variables that all services have.
func (l *loader) defaultEnvironment() {
	own := l.exec.Environment
	l.exec.Environment = slices.Clone(l.defaults.environment)
	for _, s := range own {
		setVariable(&l.exec.Environment, s)
	}
}

func (l *line) oomPolicy() {
	if l.service != nil {
		l.word(&l.service.OOMPolicy, "continue", "stop", "kill")
	}
}
