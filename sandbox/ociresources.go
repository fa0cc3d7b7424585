package sandbox

import (
	"math"
	"strconv"

	"golang.org/x/sys/unix"

	"ctl/control/manager"
	"ctl/internal/json"
)

// resourceFields limit what the container may use. A manager does that, for the scope that the container is in.
var resourceFields = [...]field{
	{Name: "devices", Type: json.Array, Set: (*bundle).deviceAccess},
	{Name: "memory", Type: json.Object, Set: (*bundle).memory},
	{Name: "cpu", Type: json.Object, Set: (*bundle).cpu},
	{Name: "blockIO", Type: json.Object, Set: func(b *bundle, v *json.Value) error { return json.Dispatch(v, blockFields[:], b) }},
	{Name: "hugepageLimits", Type: json.Array, Set: (*bundle).unsupported},
	{Name: "network", Type: json.Object, Set: (*bundle).unsupported},
	{Name: "pids", Type: json.Object, Set: (*bundle).pids},
	{Name: "rdma", Type: json.Object, Set: (*bundle).unsupported},
}

func (b *bundle) property(name string, value any) {
	b.o.resources = append(b.o.resources, manager.Assignment{Name: name, Value: value})
}

// deviceAccess reads which devices may be used. None may but for those that are listed, so that what may not be is not looked at.
func (b *bundle) deviceAccess(v *json.Value) error {
	list, allowed, all := v.Elements(), []manager.PathText{}, false
	for i := range list {
		e := &list[i]
		var allow bool
		var kind, access string
		major, minor := uint32(noNumber), uint32(noNumber)
		err := json.Dispatch(e, []field{
			{Name: "allow", Type: json.Boolean, Mandatory: true, Set: func(_ *bundle, v *json.Value) error { allow = v.Bool(); return nil }},
			{Name: "type", Type: json.String, Set: func(_ *bundle, v *json.Value) error {
				if kind = v.Text(); kind != "c" && kind != "b" {
					return v.Fail(unix.EINVAL, "there is no device of the kind '%s'", kind)
				}
				return nil
			}},
			{Name: "major", Type: json.Unsigned, Set: deviceNumber(&major, majorBits)},
			{Name: "minor", Type: json.Unsigned, Set: deviceNumber(&minor, minorBits)},
			{Name: "access", Type: json.String, Set: func(_ *bundle, v *json.Value) (err error) {
				access, err = accessOf(v)
				return err
			}},
		}, b)
		switch {
		case err != nil:
			return err
		case !allow:
		case access == "":
			b.note(v, "Device cgroup allow list entry with no effect found, ignoring.")
		case minor != noNumber && major == noNumber, major != noNumber && kind == "", kind == "" && access != "rwm":
			return e.Fail(unix.EOPNOTSUPP, "devices of some kinds only are told by all of type, major and minor")
		case kind == "":
			all = true
		default:
			allowed = append(allowed, manager.PathText{Path: devicePattern(kind, major, minor), Text: access})
		}
	}
	if !all {
		b.property("DeviceAllow", allowed)
	}
	return nil
}

// accessOf is what may be done with a device, in the manager's order.
func accessOf(v *json.Value) (string, error) {
	var has [3]bool
	const letters = "rwm"
next:
	for _, c := range v.Text() {
		for i, l := range letters {
			if c == l {
				has[i] = true
				continue next
			}
		}
		return "", v.Fail(unix.EINVAL, "there is no access '%c' to a device", c)
	}
	s := ""
	for i := range has {
		if has[i] {
			s += letters[i : i+1]
		}
	}
	return s, nil
}

// devicePattern is what the manager calls a device, all of a driver, or all of a kind.
func devicePattern(kind string, major, minor uint32) string {
	name := "char"
	if kind == "b" {
		name = "block"
	}
	switch {
	case major == noNumber:
		return name + "-*"
	case minor == noNumber:
		return name + "-" + strconv.FormatUint(uint64(major), 10)
	}
	return devicePath(name, major, minor)
}

func devicePath(kind string, major, minor uint32) string {
	return "/dev/" + kind + "/" + strconv.FormatUint(uint64(major), 10) + ":" + strconv.FormatUint(uint64(minor), 10)
}

func (b *bundle) memory(v *json.Value) error {
	const none = math.MaxUint64
	limit, reservation, swap := uint64(none), uint64(none), uint64(none)
	number := func(to *uint64) func(*bundle, *json.Value) error {
		return func(_ *bundle, v *json.Value) error {
			switch {
			case v.Negative():
				*to = none
			case !v.Is(json.Unsigned):
				return v.Fail(unix.EINVAL, "this is no size")
			default:
				*to = v.Uint()
			}
			return nil
		}
	}
	err := json.Dispatch(v, []field{
		{Name: "limit", Type: json.Number, Set: number(&limit)},
		{Name: "reservation", Type: json.Number, Set: number(&reservation)},
		{Name: "swap", Type: json.Number, Set: number(&swap)},
		{Name: "kernel", Type: json.Number, Lenient: true},
		{Name: "kernelTCP", Type: json.Number, Lenient: true},
		{Name: "swapiness", Type: json.Number, Lenient: true},
		{Name: "swappiness", Type: json.Number, Lenient: true},
		{Name: "disableOOMKiller", Type: json.Boolean, Lenient: true},
	}, b)
	if err != nil {
		return err
	}
	switch {
	case swap == none:
	case limit == none:
		b.note(v, "swap limit without memory limit is not supported, ignoring.")
	case swap < limit:
		b.note(v, "swap limit is below memory limit, ignoring.")
	default:
		b.property("MemorySwapMax", swap-limit) // it is of both together
	}
	if limit != none {
		b.property("MemoryMax", limit)
	}
	if reservation != none {
		b.property("MemoryLow", reservation)
	}
	return nil
}

// weight makes a weight of the unified hierarchy of one of the first, of which usual is the usual one.
func weight(n, usual uint64) uint64 { return min(max(n*100/usual, 1), 10000) }

func (b *bundle) cpu(v *json.Value) error {
	var shares, quota, period uint64
	number := func(to *uint64, least, most uint64) func(*bundle, *json.Value) error {
		return func(_ *bundle, v *json.Value) error {
			if v.Uint() < least || v.Uint() > most {
				return v.Fail(unix.ERANGE, "this is out of range")
			}
			*to = v.Uint()
			return nil
		}
	}
	err := json.Dispatch(v, []field{
		{Name: "shares", Type: json.Unsigned, Set: number(&shares, 2, 262144)},
		{Name: "quota", Type: json.Unsigned, Set: number(&quota, 1, math.MaxUint64-1)},
		{Name: "period", Type: json.Unsigned, Set: number(&period, 1, math.MaxUint64-1)},
		{Name: "realtimeRuntime", Type: json.Unsigned, Set: (*bundle).unsupported},
		{Name: "realtimePeriod", Type: json.Unsigned, Set: (*bundle).unsupported},
		{Name: "cpus", Type: json.String, Set: func(b *bundle, v *json.Value) error {
			set, err := cpus(v.Text())
			if err != nil {
				return v.Fail(unix.EINVAL, "'%s' are no CPUs", v.Text())
			}
			b.o.affinity = set
			b.given(givenAffinity)
			return nil
		}},
		{Name: "mems", Type: json.String, Set: (*bundle).unsupported},
	}, b)
	switch {
	case err != nil:
		return err
	case (quota > 0) != (period > 0):
		return v.Fail(unix.EINVAL, "quota and period go together")
	}
	if shares > 0 {
		b.property("CPUWeight", weight(shares, 1024))
	}
	if quota > 0 {
		b.property("CPUQuotaPerSecUSec", quota*1e6/period)
		b.property("CPUQuotaPeriodUSec", period)
	}
	return nil
}

var blockFields = [...]field{
	{Name: "weight", Type: json.Unsigned, Set: func(b *bundle, v *json.Value) error {
		if !blockWeight(v.Uint()) {
			return v.Fail(unix.ERANGE, "this is no weight")
		}
		b.property("IOWeight", weight(v.Uint(), 500))
		return nil
	}},
	{Name: "leafWeight", Type: json.Unsigned, Lenient: true},
	{Name: "weightDevice", Type: json.Array, Set: (*bundle).blockWeights},
	{Name: "throttleReadBpsDevice", Type: json.Array, Set: func(b *bundle, v *json.Value) error { return b.throttle("IOReadBandwidthMax", v) }},
	{Name: "throttleWriteBpsDevice", Type: json.Array, Set: func(b *bundle, v *json.Value) error { return b.throttle("IOWriteBandwidthMax", v) }},
	{Name: "throttleReadIOPSDevice", Type: json.Array, Set: func(b *bundle, v *json.Value) error { return b.throttle("IOReadIOPSMax", v) }},
	{Name: "throttleWriteIOPSDevice", Type: json.Array, Set: func(b *bundle, v *json.Value) error { return b.throttle("IOWriteIOPSMax", v) }},
}

func blockWeight(n uint64) bool { return n >= 10 && n <= 1000 }

func (b *bundle) blockWeights(v *json.Value) error {
	return b.blockDevices(v, "weight", false, func(e *json.Value, device string, n uint64) error {
		if !blockWeight(n) {
			return e.Fail(unix.ERANGE, "this is no weight")
		}
		b.property("IODeviceWeight", []manager.PathNumber{{Path: device, N: weight(n, 500)}})
		return nil
	})
}

// throttle limits what goes through devices.
func (b *bundle) throttle(property string, v *json.Value) error {
	return b.blockDevices(v, "rate", true, func(_ *json.Value, device string, n uint64) error {
		b.property(property, []manager.PathNumber{{Path: device, N: n}})
		return nil
	})
}

// blockDevices reads a list of devices, each with a number of that name.
func (b *bundle) blockDevices(v *json.Value, name string, mandatory bool, take func(e *json.Value, device string, n uint64) error) error {
	list := v.Elements()
	for i := range list {
		var major, minor uint32
		var n *uint64
		err := json.Dispatch(&list[i], []field{
			{Name: "major", Type: json.Unsigned, Mandatory: true, Set: deviceNumber(&major, majorBits)},
			{Name: "minor", Type: json.Unsigned, Mandatory: true, Set: deviceNumber(&minor, minorBits)},
			{Name: name, Type: json.Unsigned, Mandatory: mandatory, Set: func(_ *bundle, v *json.Value) error { n = new(v.Uint()); return nil }},
			{Name: "leafWeight", Type: json.Integer, Lenient: !mandatory, Set: (*bundle).unsupported},
		}, b)
		if err == nil && n != nil {
			err = take(&list[i], devicePath("block", major, minor), *n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *bundle) pids(v *json.Value) error {
	limit := uint64(math.MaxUint64)
	err := json.Dispatch(v, []field{{Name: "limit", Type: json.Number, Mandatory: true, Set: func(_ *bundle, v *json.Value) error {
		if !v.Negative() {
			if !v.Is(json.Unsigned) {
				return v.Fail(unix.EINVAL, "this is no limit")
			}
			limit = v.Uint()
		}
		return nil
	}}}, b)
	if err == nil {
		b.property("TasksMax", limit)
	}
	return err
}
