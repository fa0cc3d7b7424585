package control

import (
	"math"
	"path"
	"strconv"

	"ctl/control/manager"
	"ctl/internal/term"
)

// moreJSON tells whether a verb that systemctl has no JSON for is to write some: called as ctl, asked for it.
func (c *Call) moreJSON() bool { return c.Opt.JSON != term.NoJSON && !c.IsSystemctl() }

// jsonValue is a D-Bus value in JSON. What stands for "none" or "no limit" is null, bytes are numbers.
func jsonValue(v any) term.Value {
	switch v := v.(type) {
	case string, bool:
		return v
	case manager.ObjectPath:
		return string(v)
	case uint64:
		if v == math.MaxUint64 {
			return nil
		}
		return v
	case int64:
		return int(v)
	case uint32:
		return int(v)
	case int32:
		return int(v)
	case uint16:
		return int(v)
	case uint8:
		return int(v)
	case []string:
		return jsonList(v)
	case []byte:
		return jsonList(v)
	case []any:
		return jsonList(v)
	case [][]any:
		return jsonList(v)
	case []uint32:
		return jsonList(v)
	case []int32:
		return jsonList(v)
	case [][]byte:
		return jsonList(v)
	}
	return nil
}

func jsonList[T any](l []T) []term.Value {
	values := make([]term.Value, len(l))
	for i, v := range l {
		values[i] = jsonValue(v)
	}
	return values
}

// object is the properties that are wanted as a JSON object.
func (w propertyWriter) object(l []manager.Property) term.Object {
	var o term.Object
	for _, p := range l {
		if wanted, _ := w.wanted(p.Name); wanted {
			o = append(o, term.Member{Name: p.Name, Value: jsonValue(p.Value)})
		}
	}
	return o
}

// statusObject is what status shows of a unit, but for its journal.
func statusObject(p unitProperties, processes []manager.Process) term.Object {
	member := func(name, property string) term.Member {
		return term.Member{Name: name, Value: jsonValue(p.get(property))}
	}
	o := term.Object{member("unit", "Id"), member("description", "Description"), member("load", "LoadState"), member("active", "ActiveState"),
		member("sub", "SubState"), member("result", "Result"), member("fragment", "FragmentPath"), member("drop_ins", "DropInPaths"),
		member("unit_file_state", "UnitFileState"), member("preset", "UnitFilePreset"), member("active_enter", "ActiveEnterTimestamp"),
		member("inactive_enter", "InactiveEnterTimestamp"), member("triggered_by", "TriggeredBy"), member("triggers", "Triggers"),
		member("documentation", "Documentation"), member("need_daemon_reload", "NeedDaemonReload"), member("main_pid", "MainPID"),
		member("status_text", "StatusText"), member("control_group", "ControlGroup"), member("tasks", "TasksCurrent"),
		member("memory", "MemoryCurrent"), member("cpu_nsec", "CPUUsageNSec")}
	return append(o, processObjects(processes))
}

// systemObject is what status tells of the system, or of the user's manager.
func systemObject(host string, p unitProperties, processes []manager.Process) term.Object {
	member := func(name, property string) term.Member {
		return term.Member{Name: name, Value: jsonValue(p.get(property))}
	}
	return term.Object{{Name: "system", Value: host}, member("state", "SystemState"), member("units", "NNames"), member("jobs", "NJobs"),
		member("failed", "NFailedUnits"), member("since", "UserspaceTimestamp"), member("version", "Version"), member("tainted", "Tainted"),
		member("control_group", "ControlGroup"), processObjects(processes)}
}

func processObjects(processes []manager.Process) term.Member {
	list := []term.Value{}
	for _, q := range processes {
		list = append(list, term.Object{{Name: "pid", Value: int(q.PID)}, {Name: "control_group", Value: q.CGroup}, {Name: "command", Value: q.Command}})
	}
	return term.Member{Name: "processes", Value: list}
}

// jobObjects are the jobs that were asked for, in that order.
func (w *waiting) jobObjects() []term.Value {
	l := make([]term.Value, len(w.jobs))
	for i, j := range w.jobs {
		var unit, job, result, reason term.Value
		if j.unit != "" {
			unit = j.unit
		}
		if n, err := strconv.ParseUint(path.Base(string(j.path)), 10, 32); err == nil {
			job = n
		}
		if j.result != "" {
			result = j.result
		}
		if j.err != nil {
			reason = strerror(j.err)
		}
		l[i] = term.Object{{Name: "unit", Value: unit}, {Name: "job", Value: job}, {Name: "result", Value: result}, {Name: "error", Value: reason}}
	}
	return l
}

// object is a unit with what it depends on, without units that are above it already.
func (t *dependencyTree) object(name string) (term.Object, error) {
	d := t.graph.node(name)
	if d.err != nil {
		return nil, Failure{"get properties of " + name, d.err}
	}
	t.path = append(t.path, name)
	defer func() { t.path = t.path[:len(t.path)-1] }()
	below := []term.Value{}
	for _, on := range d.on {
		if !t.wanted(on) {
			continue
		}
		o := term.Object{{Name: "unit", Value: on}}
		above := false
		for _, p := range t.path {
			above = above || p == on
		}
		if t.descends(on) && !above {
			var err error
			if o, err = t.object(on); err != nil {
				return nil, err
			}
		}
		below = append(below, append(o, term.Member{Name: "active", Value: t.graph.nodes[on].active}))
	}
	return term.Object{{Name: "unit", Value: name}, {Name: "dependencies", Value: below}}, nil
}
