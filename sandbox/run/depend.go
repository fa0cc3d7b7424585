package run

import (
	"path"
	"slices"

	"ctl/internal/unit"
	"ctl/sandbox/service"
)

// addAll loads the units named and, if they are wanted, those that these need or want.
func (c *Call) addAll(s *set) error {
	queue := slices.Clone(c.names)
	for _, name := range c.names {
		s.main = append(s.main, path.Base(name))
	}
	seen := make(map[string]bool)
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		if seen[path.Base(name)] {
			continue
		}
		seen[path.Base(name)] = true
		u, err := c.add(s, name)
		if err != nil {
			return err
		}
		if u == nil {
			continue
		}
		for _, n := range u.Names {
			seen[n] = true
		}
		if i := slices.Index(s.main, path.Base(name)); i >= 0 {
			s.main[i] = u.Name // an alias
		}
		if c.Opt.dependencies {
			queue = append(queue, c.needs(u)...)
		}
		if k := s.socketOf(u.Name); k != nil && !k.Accept {
			queue = append(queue, k.Service)
		}
	}
	return nil
}

// needs are the services and sockets that a unit needs or wants, by its file and by the links to others in its directories. What
// is needed has to be there, which is seen when it is loaded.
func (c *Call) needs(u *service.Unit) []string {
	l := slices.Concat(u.Requires, u.Requisite, u.BindsTo, u.Wants, u.OnFailure, u.OnSuccess)
	for _, name := range u.Names {
		for _, dir := range c.index.SearchPath().Dirs {
			for _, kind := range [...]string{".requires", ".wants", ".upholds"} {
				l = append(l, c.index.Names(dir+"/"+name+kind)...)
			}
		}
	}
	return slices.DeleteFunc(l, func(name string) bool { return unit.Type(name) != "service" && unit.Type(name) != "socket" })
}

func (s *set) socketOf(name string) *service.Socket {
	for _, k := range s.sockets {
		if k.Name == name {
			return k
		}
	}
	return nil
}
