package control

import (
	"fmt"
	"strconv"
	"strings"

	"ctl/control/assign"
)

// signalList is the list of signals, as a table with numbers or by name alone.
func signalList(table bool) string {
	var b strings.Builder
	if table {
		b.WriteString("SIGNAL NAME\n")
	}
	line := func(n int, name string) {
		if table {
			fmt.Fprintf(&b, "%-6d SIG%s\n", n, name)
		} else {
			b.WriteString(name + "\n")
		}
	}
	if !table {
		b.WriteString("0\n")
	}
	for i, s := range assign.SignalNames {
		line(i+1, s)
	}
	for n := len(assign.SignalNames) + 1; n < assign.RTMin; n++ {
		line(n, strconv.Itoa(n)) // the C library keeps these for itself
	}
	for n := assign.RTMin; n <= assign.RTMax; n++ {
		line(n, "RTMIN+"+strconv.Itoa(n-assign.RTMin))
	}
	return b.String()
}
