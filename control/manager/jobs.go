package manager

import (
	"slices"
	"syscall"
	"time"
)

// A Job is a job that was queued, or one that was queued along with it.
type Job struct {
	ID       uint32
	Path     ObjectPath
	Unit     string
	UnitPath ObjectPath
	Type     string // "start", "stop", ...
	State    string // "running", "waiting", of those that are listed
}

// Jobs calls a method that lists jobs: ListJobs, GetJobAfter, GetJobBefore.
func (c *Conn) Jobs(method string, args ...any) ([]Job, error) {
	rows, err := Ask[[][]any](c, method, args...)
	if err != nil {
		return nil, err
	}
	l := make([]Job, len(rows))
	for i, r := range rows {
		j := &l[i]
		if !Scan(r, &j.ID, &j.Unit, &j.Type, &j.State, &j.Path, &j.UnitPath) {
			return nil, syscall.EBADMSG
		}
	}
	return l, nil
}

// jobMethods are the methods that queue a job of a type, org.freedesktop.systemd1(5).
var jobMethods = [...][2]string{{"start", "StartUnit"}, {"stop", "StopUnit"}, {"reload", "ReloadUnit"},
	{"restart", "RestartUnit"}, {"try-restart", "TryRestartUnit"}, {"reload-or-restart", "ReloadOrRestartUnit"},
	{"reload-or-try-restart", "ReloadOrTryRestartUnit"}}

// Enqueue queues a job for a unit. EINVAL: there is no such type of job.
func (c *Conn) Enqueue(unit, jobType, mode string) (ObjectPath, error) {
	for _, m := range jobMethods {
		if m[0] == jobType {
			return Ask[ObjectPath](c, m[1], unit, mode)
		}
	}
	return "", syscall.EINVAL
}

// EnqueueTransaction queues a job for a unit and tells which others come with it.
func (c *Conn) EnqueueTransaction(unit, jobType, mode string) (anchor Job, others []Job, err error) {
	reply, err := c.Manager("EnqueueUnitJob", unit, jobType, mode)
	if err != nil {
		return Job{}, nil, err
	}
	var rows [][]any
	if !Scan(reply, &anchor.ID, &anchor.Path, &anchor.Unit, &anchor.UnitPath, &anchor.Type, &rows) {
		return Job{}, nil, ReplyError{syscall.ENXIO}
	}
	others, err = jobs(rows)
	return anchor, others, err
}

// EnqueueMany queues jobs of one type for several units, all or none of them; since systemd 262.
func (c *Conn) EnqueueMany(units []string, jobType, mode string) ([]Job, error) {
	rows, err := Ask[[][]any](c, "EnqueueUnitJobMany", units, jobType, mode, uint64(0))
	if err != nil {
		return nil, err
	}
	return jobs(rows)
}

// EnqueueMarked queues jobs for all units that are marked for one.
func (c *Conn) EnqueueMarked() ([]ObjectPath, error) {
	reply, err := c.Manager("EnqueueMarkedJobs")
	if l, err := first[[]ObjectPath](reply, err); err == nil {
		return l, nil
	}
	l, err := first[[]string](reply, err) // as the interface is described
	paths := make([]ObjectPath, len(l))
	for i, p := range l {
		paths[i] = ObjectPath(p)
	}
	return paths, err
}

func jobs(rows [][]any) ([]Job, error) {
	l := make([]Job, len(rows))
	for i, r := range rows {
		j := &l[i]
		if !Scan(r, &j.ID, &j.Path, &j.Unit, &j.UnitPath, &j.Type) {
			return nil, ReplyError{syscall.ENXIO}
		}
	}
	return l, nil
}

// A JobResult is how a job ended.
type JobResult struct {
	Path         ObjectPath
	Unit, Result string // "done", "failed", ...
}

// WatchJobs has the ends of jobs reported. It has to be called before the jobs are
// queued. A manager reports to its private socket anyway.
func (c *Conn) WatchJobs() {
	c.watch("type='signal',sender='" + Service + "',path='" + string(ManagerPath) +
		"',interface='" + ManagerInterface + "',member='JobRemoved'")
}

// watch asks the bus for signals. What it is asked next comes after that, so there is nothing to wait for.
func (c *Conn) watch(rule string) {
	if !c.bus {
		return
	}
	// If the connection is lost, the next call says so.
	_, _ = c.Send(Call{Destination: "org.freedesktop.DBus", Path: "/org/freedesktop/DBus",
		Interface: "org.freedesktop.DBus", Method: "AddMatch", Args: []any{rule}, NoReply: true})
}

// WaitForJobs hands the end of each of the jobs to f, in the order in which they end.
func (c *Conn) WaitForJobs(paths []ObjectPath, f func(JobResult)) error {
	// Who asked twice for a job was given the same one.
	paths = slices.Compact(slices.Sorted(slices.Values(paths)))
	for len(paths) > 0 {
		s, err := c.NextSignal(time.Time{})
		if err != nil {
			return err
		}
		r, ok := jobRemoved(s)
		if !ok {
			c.unitChanged(s) // WaitForUnits must not miss it
			continue
		}
		if i := slices.Index(paths, r.Path); i >= 0 {
			paths = slices.Delete(paths, i, i+1)
			f(r)
		}
	}
	return nil
}

func jobRemoved(s *Signal) (r JobResult, ok bool) {
	if s.Interface != ManagerInterface || s.Member != "JobRemoved" {
		return r, false
	}
	var id uint32
	return r, Scan(s.Body, &id, &r.Path, &r.Unit, &r.Result)
}

// A watched unit is one whose end is waited for.
type watched struct {
	path   ObjectPath
	active string // state
	job    bool   // one is queued
}

func (w *watched) over() bool { return !w.job && (w.active == "inactive" || w.active == "failed") }

// Watch keeps a unit loaded and has its changes noted, for WaitForUnits.
func (c *Conn) Watch(name string) error {
	path := UnitPath(name)
	if _, err := c.Call(Call{Destination: Service, Path: path, Interface: UnitInterface, Method: "Ref"}); err != nil {
		return err
	}
	c.watch("type='signal',sender='" + Service + "',path='" + string(path) +
		"',interface='" + properties + "',member='PropertiesChanged'")
	reply, err := c.Call(GetAll(path, UnitInterface))
	if err != nil {
		return err
	}
	l, err := Properties(reply)
	if err != nil {
		return err
	}
	w := &watched{path: path, job: true}
	w.update(l)
	c.watched = append(c.watched, w)
	return nil
}

func (w *watched) update(l []Property) {
	for _, p := range l {
		switch p.Name {
		case "ActiveState":
			w.active = p.Text()
		case "Job":
			if t, ok := p.Value.([]any); ok && len(t) > 0 {
				id, _ := t[0].(uint32)
				w.job = id != 0
			}
		}
	}
}

// WaitForUnits waits until all units watched have ended, and tells whether none of them failed.
func (c *Conn) WaitForUnits() (good bool, err error) {
	good = true
	for {
		c.watched = slices.DeleteFunc(c.watched, func(w *watched) bool {
			good = good && !(w.over() && w.active == "failed")
			return w.over()
		})
		if len(c.watched) == 0 {
			return good, nil
		}
		s, err := c.NextSignal(time.Time{})
		if err != nil {
			return false, err
		}
		c.unitChanged(s)
	}
}

// unitChanged notes what a signal says of a unit that is watched.
func (c *Conn) unitChanged(s *Signal) {
	if s.Member != "PropertiesChanged" || len(s.Body) < 2 {
		return
	}
	for _, w := range c.watched {
		if w.path == s.Path {
			l, _ := Properties(s.Body[1:])
			w.update(l)
		}
	}
}
