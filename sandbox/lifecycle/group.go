package lifecycle

// A group is a cgroup of a service's own.
type group struct{ path string }

func (g *group) processes() []int { return nil }
