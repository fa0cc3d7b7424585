package control

import (
	"fmt"
	"strconv"
	"strings"

	"ctl/internal/unit"
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
	for i, s := range unit.SignalNames {
		line(i+1, s)
	}
	for n := len(unit.SignalNames) + 1; n < unit.RTMin; n++ {
		line(n, strconv.Itoa(n)) // the C library keeps these for itself
	}
	for n := unit.RTMin; n <= unit.RTMax; n++ {
		line(n, "RTMIN+"+strconv.Itoa(n-unit.RTMin))
	}
	return b.String()
}
