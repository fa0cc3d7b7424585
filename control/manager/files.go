package manager

import (
	"syscall"
)

// Loaded is where the manager has a unit from.
type Loaded struct {
	State    string // LoadState: "loaded", "masked", "not-found", ...
	Fragment string // the main file, "" if there is none
	DropIns  []string
}

// Loaded asks where a unit comes from; the manager loads it if need be.
func (c *Conn) Loaded(name string) (l Loaded, _ error) {
	var calls []Call
	for _, p := range [...]string{"LoadState", "FragmentPath", "DropInPaths"} {
		calls = append(calls, Get(UnitPath(name), UnitInterface, p))
	}
	err := c.Each(calls, func(i int, reply []any, err error) error {
		v := Value(reply)
		switch i {
		case 0:
			l.State = v.Text()
		case 1:
			l.Fragment = v.Text()
		case 2:
			l.DropIns = v.Strings()
		}
		return err
	})
	return l, err
}

// A File is a unit file.
type File struct{ Path, State string }

// Files lists the unit files in one of the states whose names fit one of the patterns; none of either stands for all.
func (c *Conn) Files(states, patterns []string) ([]File, error) {
	rows, err := Ask[[][]any](c, "ListUnitFilesByPatterns", notNil(states), notNil(patterns))
	if IsName(err, "UnknownMethod") {
		rows, err = Ask[[][]any](c, "ListUnitFiles") // before systemd 230
	}
	if err != nil {
		return nil, err
	}
	l := make([]File, len(rows))
	for i, r := range rows {
		if !Scan(r, &l[i].Path, &l[i].State) {
			return nil, syscall.EBADMSG
		}
	}
	return l, nil
}

// MountImage mounts an image in the mount namespace of a running unit. The arguments are those of MountImageUnit,
// org.freedesktop.systemd1(5), the options pairs of a partition and its mount options.
func (c *Conn) MountImage(args []any, options [][]any) error {
	type option struct{ Partition, Options string }
	l := make([]option, 0, len(options))
	for _, o := range options {
		var v option
		if Scan(o, &v.Partition, &v.Options) {
			l = append(l, v)
		}
	}
	_, err := c.Manager("MountImageUnit", append(args, l)...)
	return err
}

// An Assignment gives a property of a unit a value, of the Go type that its D-Bus type asks for.
type Assignment struct {
	Name  string
	Value any
}

// The structures that properties consist of, org.freedesktop.systemd1(5).
type (
	// PathNumber is a device and a limit or weight.
	PathNumber struct {
		Path string
		N    uint64
	}
	// PathText is a device and what may be done with it.
	PathText struct{ Path, Text string }
	// Prefix is a network.
	Prefix struct {
		Family int32
		Octets []byte
		Length uint32
	}
	// NameFilter allows names, or all but them.
	NameFilter struct {
		Allow bool
		Names []string
	}
)

// SetProperties sets properties of a unit, for this boot or for good.
func (c *Conn) SetProperties(unit string, runtime bool, l []Assignment) error {
	_, err := c.Manager("SetUnitProperties", unit, runtime, entries(l))
	return err
}
