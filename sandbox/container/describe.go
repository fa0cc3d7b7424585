package container

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// AttributeNames are attributes of mounts as mount(8) calls them.
func AttributeNames(attr uint64) []string {
	var l []string
	for _, a := range [...]struct {
		flag uint64
		name string
	}{{readOnly, "ro"}, {noSuid, "nosuid"}, {noDev, "nodev"}, {noExec, "noexec"}, {unix.MOUNT_ATTR_NOSYMFOLLOW, "nosymfollow"}, {strict, "strictatime"}} {
		if attr&a.flag != 0 {
			l = append(l, a.name)
		}
	}
	return l
}

// Names are the namespaces that a container has of its own.
func (c *Container) Names() []string {
	l := []string{"mount"}
	n := &c.Namespace
	for _, s := range [...]struct {
		own  bool
		name string
	}{{n.PID, "PID"}, {n.IPC, "IPC"}, {n.UTS, "UTS"}, {n.Cgroup, "cgroup"}, {n.Network, "network"}, {c.Users != nil, "user"}} {
		if s.own {
			l = append(l, s.name)
		}
	}
	if n.NetworkPath != nil {
		l = append(l, "network of "+n.NetworkPath.Name())
	}
	return l
}

func (v Volatile) String() string { return [...]string{"no", "yes", "state", "overlay"}[v] }

func (o Ownership) String() string {
	return [...]string{"as it is", "mapped", "mapped from the foreign range"}[o]
}

func (k CustomKind) String() string {
	return [...]string{"bind", "tmpfs", "overlay", "inaccessible", "mount"}[k]
}

func (m IDMap) String() string {
	return [...]string{"noidmap", "idmap", "rootidmap", "owneridmap", "idmap of a user"}[m]
}

func (r ResolvConf) String() string { return resolvConfNames[r] }

func (t Timezone) String() string { return timezoneNames[t] }

func (u *UserMap) String() string {
	return strconv.FormatUint(uint64(u.Base), 10) + ":" + strconv.FormatUint(uint64(u.Range), 10)
}

// Sources tells, of all that is mounted from the host, the paths; but for what may be missing.
func (c *Container) Sources(each func(path string) error) error {
	return eachSource(c.Steps(), func(path string, may bool) error {
		if may || path == "" {
			return nil
		}
		return each(path)
	})
}

// eachSource tells what steps mount from the host, and whether it may be missing.
func eachSource(steps []Step, want func(path string, may bool) error) error {
	for i := range steps {
		s := &steps[i]
		err := error(nil)
		switch {
		case s.Do == HostBind:
			err = want(s.Source, s.May)
		case s.Do == Wanted && s.Custom.Kind != FileSystem && !s.Custom.InTree && !strings.HasPrefix(s.Custom.Source, "+"):
			err = want(s.Custom.Source, false)
		}
		if err == nil && s.Custom != nil {
			for _, l := range append(s.Custom.Lower, s.Custom.Work) {
				if err == nil && !strings.HasPrefix(l, "+") {
					err = want(l, false)
				}
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
