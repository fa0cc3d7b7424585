package manager

import "time"

// SystemState is the state of the system, "running" or "degraded" for example. With
// wait set it is waited for until the system has started.
func (c *Conn) SystemState(wait bool) (string, error) {
	if wait {
		c.watch("type='signal',sender='" + Service + "',path='" + string(ManagerPath) +
			"',interface='" + ManagerInterface + "',member='StartupFinished'")
	}
	for {
		state, err := Read[string](c.Call(Get(ManagerPath, ManagerInterface, "SystemState")))
		if err != nil || !wait || state != "initializing" && state != "starting" {
			return state, err
		}
		for {
			s, err := c.NextSignal(time.Time{})
			if err != nil {
				return "", err
			}
			if s.Member == "StartupFinished" {
				break
			}
		}
	}
}
