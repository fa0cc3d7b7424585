package control

import (
	"strconv"
	"strings"

	"ctl/control/manager"
)

// killUnits sends a signal to processes of units.
func killUnits(c *Call) error {
	if c.Opt.KillSubgroup || c.Opt.Wait {
		return needsManager(c)
	}
	m, err := c.manager()
	if err != nil {
		return err
	}
	whom, signal := c.Opt.KillWhom, int32(15)
	if whom == "" {
		whom = "all"
	}
	if c.Opt.Signal != "" {
		signal = signalNumber(c.Opt.Signal)
	}
	return c.forUnits(m, "kill unit ", func(name string) manager.Call {
		if c.Opt.KillValue {
			return manager.Method("QueueSignalUnit", name, whom, signal, c.Opt.KillValueIs)
		}
		return manager.Method("KillUnit", name, whom, signal)
	})
}

// signalNumber is the number of a signal that isSignal has found to be one.
func signalNumber(v string) int32 {
	if n, ok := number(v); ok {
		return int32(n)
	}
	name := strings.TrimPrefix(v, "SIG")
	for i, s := range signalNames {
		if s == name {
			return int32(i + 1)
		}
	}
	base, sign, rest := int64(sigRTMin), int64(1), strings.TrimPrefix(name, "RTMIN")
	if strings.HasPrefix(name, "RTMAX") {
		base, sign, rest = sigRTMax, -1, strings.TrimPrefix(name, "RTMAX")
	}
	n, _ := strconv.ParseInt(strings.TrimLeft(rest, "+-"), 10, 32) // none is 0
	return int32(base + sign*n)
}
