package detect

import (
	"os"
	"strings"
)

// Container is the kind of container this is by what can be seen without privilege,
// "" for none. It is for information: nothing is decided by it.
func (w *Where) Container() string { return w.container() }

func (w *Where) findContainer() string {
	if kind := w.getenv("container"); kind != "" {
		return kind
	}
	// The container interface of systemd; the first line of each is the kind.
	for _, name := range [...]string{"/run/host/container-manager", "/run/systemd/container"} {
		text, _ := os.ReadFile(name)
		if kind, _, _ := strings.Cut(string(text), "\n"); strings.TrimSpace(kind) != "" {
			return strings.TrimSpace(kind)
		}
	}
	environ, _ := os.ReadFile("/proc/1/environ")
	for variable := range strings.SplitSeq(string(environ), "\x00") {
		if kind, ok := strings.CutPrefix(variable, "container="); ok && kind != "" {
			return kind
		}
	}
	for _, mark := range [...]struct{ name, kind string }{
		{"/run/.containerenv", "podman"},
		{"/.dockerenv", "docker"},
	} {
		if _, err := os.Lstat(mark.name); err == nil {
			return mark.kind
		}
	}
	groups, _ := os.ReadFile("/proc/self/cgroup")
	return containerByGroup(string(groups))
}

// containerByGroup goes by the name of our control group, proc_pid_cgroup(5). In a cgroup
// namespace, which most containers have by now, it says nothing.
func containerByGroup(groups string) string {
	for _, hint := range [...]struct{ part, kind string }{
		{"/libpod-", "podman"},
		{"/docker-", "docker"},
		{"/docker/", "docker"},
		{"/kubepods", "kubernetes"},
		{"/lxc.payload", "lxc"},
		{"/lxc/", "lxc"},
	} {
		if strings.Contains(groups, hint.part) {
			return hint.kind
		}
	}
	return ""
}
