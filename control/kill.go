package control

import (
	"strconv"
	"strings"

	"ctl/control/manager"
	"ctl/internal/term"
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
	names, _, err := c.expandNames(m, c.Args, "")
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
	bad := false
	for _, n := range names {
		call := manager.Method("KillUnit", n, whom, signal)
		if c.Opt.KillValue {
			call = manager.Method("QueueSignalUnit", n, whom, signal, c.Opt.KillValueIs)
		}
		if _, err := m.Call(call); err != nil {
			c.Log(term.Err, Failure{"kill unit " + n, err}.Error())
			bad = true
		}
	}
	if bad {
		return Exit(1)
	}
	return nil
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
