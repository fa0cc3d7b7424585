package launch

import (
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/sandbox/service"
)

// SecurityModule tells whether a security module of the kernel is in use that labels processes: apparmor, selinux, smack.
func SecurityModule(name string) bool { return securityModule("/", name) }

func securityModule(root, name string) bool {
	file := map[string]string{"selinux": "sys/fs/selinux/enforce", "smack": "sys/fs/smackfs"}[name]
	if name == "apparmor" {
		on, _ := os.ReadFile(path.Join(root, "sys/module/apparmor/parameters/enabled"))
		return strings.HasPrefix(string(on), "Y")
	}
	_, err := os.Stat(path.Join(root, file))
	return file != "" && err == nil
}

// A label is what a file of /proc/PID/attr is told about a process, proc_pid_attr(5).
type label struct {
	step  step
	files []string // the first that there is, below /proc
	text  string
	may   bool // it need not be possible
}

// newLabels are those of a service. Without its security module a label means nothing.
func newLabels(root string, s *service.Exec) (l []label) {
	for _, m := range [...]struct {
		module, value, prefix string
		step                  step
		files                 []string
	}{{"smack", s.SmackProcessLabel, "", smack, []string{"self/attr/smack/current", "self/attr/current"}},
		{"selinux", s.SELinuxContext, "", selinux, []string{"self/attr/exec"}},
		{"apparmor", s.AppArmorProfile, "exec ", apparmor, []string{"self/attr/apparmor/exec", "self/attr/exec"}}} {
		value, may := strings.CutPrefix(m.value, "-")
		if value != "" && securityModule(root, m.module) {
			l = append(l, label{m.step, m.files, m.prefix + value, may})
		}
	}
	return l
}

// label has the process, or what it executes, labelled by a security module. It is one that the process itself has to write.
func (b *child) label(steps ...step) {
	for _, l := range b.labels {
		for _, s := range steps {
			if b.sandbox && l.step == s {
				b.WriteFile(s.String(), b.procFD, b.attribute(l.files), l.text, l.may)
			}
		}
	}
}

// attribute is the first of the files that there is, or the last: kernels before 5.8 have but one for all security modules.
func (b *child) attribute(files []string) string {
	for _, f := range files[:len(files)-1] {
		if unix.Faccessat(int(b.proc.Fd()), f, unix.F_OK, 0) == nil {
			return f
		}
	}
	return files[len(files)-1]
}
