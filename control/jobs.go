package control

import (
	"strconv"

	"ctl/internal/cli"
	"ctl/internal/term"
)

// cancelJobs takes jobs out of the queue: those with the numbers given, or all.
func cancelJobs(c *Call) error {
	m, err := c.manager()
	if err != nil {
		return err
	}
	if len(c.Args) == 0 || c.Verb == "clear-jobs" {
		if _, err := m.Manager("ClearJobs"); err != nil {
			return Failure{"clear jobs", err}
		}
		return nil
	}
	var status error
	for _, arg := range c.Args {
		id, err := strconv.ParseUint(arg, 10, 32)
		if err != nil {
			return cli.Usage("Failed to parse job id \"" + arg + "\": Invalid argument")
		}
		if _, err := m.Manager("CancelJob", uint32(id)); err != nil {
			c.Log(term.Warning, "Failed to cancel job "+decimal(uint32(id))+", ignoring: "+strerror(err))
			status = Exit(1)
		}
	}
	return status
}
